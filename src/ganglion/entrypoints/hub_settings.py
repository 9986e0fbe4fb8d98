"""Settings of `ganglion hub run`. Apart from the hub itself, so that reading settings imports no server."""

from typing import Annotated

import msgspec

from ganglion.trust.model_file_limits import ModelFileLimits

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
PositiveS = Annotated[float, msgspec.Meta(gt=0)]


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub accepts over HTTP. Whatever goes beyond is refused, nothing waits in a queue."""

    head_bytes_max: Positive = 65_536
    """Largest request line with its headers."""

    body_bytes_max: Positive = 8_000_000
    """Largest request body, packages apart; a larger one is refused with 413 as soon as that is known."""

    package_bytes_max: Positive = 2_000_000_000
    """Largest model package that can be released; a larger one is refused with 413."""

    body_idle_s_max: PositiveS = 20.0
    """Longest pause inside a request body; after it the request is answered with 408."""

    requests_max: Positive = 30_000
    """Requests in progress, waiting nodes included; further ones are answered with 503."""

    long_poll_s_max: PositiveS = 60.0
    """Longest time that a node's question for its desired state waits for a change."""

    long_polls_max: Positive = 20_000
    """Waiting questions of all nodes together; further ones are answered with 503."""

    long_polls_per_node_max: Positive = 8
    """Waiting questions of one node; further ones are answered with 503: the node is broken, or was copied."""

    rows_max: Positive = 1000
    """Most rows in the answer to one question for samples, results or events; asking for more is refused."""

    hsts_s: int = 31_536_000
    """How long browsers insist on HTTPS for this host name (Strict-Transport-Security); 0 leaves the header out."""

    drain_s: Positive = 10
    """How long a stopping hub lets requests in progress finish before it cuts them."""


class IdentitySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long proofs of identity are good."""

    join_token_life_s_max: Positive = 3600
    """Longest life that a join token can be given."""

    challenge_life_s: Positive = 60
    """A node must answer a challenge within this time."""

    access_token_life_s: Positive = 900
    """A node proves itself again after this time."""

    session_life_s: Annotated[int, msgspec.Meta(ge=60)] = 43_200
    """A browser logs in again after this time."""

    accounts_max: Positive = 1000
    """No further account is made beyond this number."""


class RecordsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub takes from nodes at once."""

    batch_records_max: Positive = 10_000
    """Records in one batch; a larger batch is refused with 413."""

    batch_bytes_max: Positive = 32_000_000
    """Size of one batch after decompression; a larger batch is refused with 413."""

    sample_bytes_max: Positive = 4_000_000
    """Largest sample that is offered for labelling; a larger one is kept as a record only, and an event tells."""

    dataset_bytes_max: Positive = 2_000_000_000
    """Most input bytes in one data set; a larger one is refused."""


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The web page."""

    refresh_s: Positive = 5
    """How often the page loads itself again."""

    samples_max: Annotated[int, msgspec.Meta(ge=1, le=100)] = 12
    """How many of the newest samples it shows."""


class HubSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One hub process: where it keeps its data, where it listens, and its limits."""

    data_dir: str = "hub-data"
    """Directory of databases, artifacts, keys and metadata. Back up all of it, and keep it private."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` accepts connections from other machines."""

    port: Port = 8443
    """TCP port; 0 takes a free one, which is written to `run/hub.json` in the data directory."""

    hostnames: tuple[str, ...] = ()
    """Names and addresses, beside localhost, by which nodes and people reach the hub; its certificate has them."""

    tick_s: PositiveS = 1.0
    """Time between two looks at the running rollouts."""

    renewal_s: PositiveS = 3600.0
    """Time between two checks whether signed metadata must be signed again before it expires."""

    silent_after_s: PositiveS = 120.0
    """A node that was not heard of for longer is shown, and counted, as silent."""

    http: HttpSettings = HttpSettings()
    """Limits of the HTTP surface."""

    identity: IdentitySettings = IdentitySettings()
    """Join tokens, access tokens, sessions."""

    records: RecordsSettings = RecordsSettings()
    """Records and samples of nodes."""

    page: PageSettings = PageSettings()
    """The web page."""

    model_files: ModelFileLimits = ModelFileLimits()
    """What a model file may hold to be released; nodes look again, with limits of their own."""
