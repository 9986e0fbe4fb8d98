"""Settings of the programs that people run against a hub. Apart from the client, so that reading them opens nothing."""

import msgspec


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which hub the commands talk to, as whom, and how patiently."""

    hub: str = ""
    """Address of the hub, https://HOST:PORT. Empty: the one of the last `ganglion login`."""

    token: str = ""
    """Token of an account. Empty: the one stored by `ganglion login` for this hub."""

    ca_pin: str = ""
    """SHA-256 (64 hexadecimal digits) of the public key of the hub's CA. Empty: the CA stored by `ganglion login`."""

    connect_timeout_s: float = 5.0
    """How long making a connection may take."""

    timeout_s: float = 60.0
    """How long the hub may be silent, and how long a whole answer may take, files apart."""

    retries_max: int = 2
    """Further attempts of a question (GET) that got no answer or a passing error; nothing else is repeated."""

    retry_delay_s: float = 0.2
    """Pause before the second further attempt; it doubles with each one after."""

    reply_bytes_max: int = 64_000_000
    """Largest answer that is read, apart from files."""

    file_bytes_max: int = 4_000_000_000
    """Largest package or data set tensor that is fetched."""
