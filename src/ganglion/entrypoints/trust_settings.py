"""Settings of `ganglion trust`. Apart from the commands, so that reading settings opens nothing."""

import msgspec


class TrustSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the commands of key holders get at their keys."""

    passphrase_file: str = ""
    """File whose first line is the passphrase of private keys. Empty: the setting below, or the terminal is asked."""

    passphrase: str = ""
    """The passphrase itself. For scripts; a terminal or a file leaves fewer traces."""
