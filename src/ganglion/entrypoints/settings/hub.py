"""Settings of `ganglion hub run`. Apart from the hub itself, so that reading settings imports no server."""

from typing import Annotated

import msgspec

from ganglion.entrypoints.settings.alerts import AlertSettings
from ganglion.entrypoints.settings.people import IdentitySettings
from ganglion.entrypoints.settings.tls import TlsSettings
from ganglion.hub.domain.audit_limits import AuditSettings
from ganglion.hub.domain.file_limits import FileLimits
from ganglion.hub.domain.nodes.lifecycle import StandingSettings
from ganglion.hub.domain.shells.limits import ShellRelayLimits
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.model_files.limits import ModelFileLimits

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

    keep_alive_s: Positive = 30
    """How long a connection on which nobody asks anything stays open. An answer whose last piece is still on its way
    over a slow line counts as given: it is cut off half a minute after that time."""

    requests_max: Positive = 30_000
    """Requests in progress, waiting nodes included; further ones are answered with 503."""

    long_poll_s_max: PositiveS = 300.0
    """Longest time that a node's question for its desired state waits for a change."""

    long_polls_max: Positive = 20_000
    """Waiting questions of all nodes together; further ones are answered with 503."""

    long_polls_per_node_max: Positive = 8
    """Waiting questions of one node; further ones are answered with 503: the node is broken, or was copied."""

    rows_max: Positive = 1000
    """Most rows in the answer to one question for nodes, samples, results or events; asking for more is refused."""

    hsts_s: int = 31_536_000
    """How long browsers insist on HTTPS for this host name (Strict-Transport-Security); 0 leaves the header out."""

    drain_s: Positive = 10
    """How long a stopping hub lets requests in progress finish before it cuts them."""


class RecordsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub takes from nodes at once."""

    batch_records_max: Positive = 10_000
    """Records in one batch; a larger batch is refused with 413."""

    batch_bytes_max: Positive = 32_000_000
    """Size of one batch after decompression; a larger batch is refused with 413."""

    sample_bytes_max: Positive = 4_000_000
    """Largest sample that is offered for labelling; a larger one is kept as a record only, and an event tells."""

    sample_contents_days: Annotated[float, msgspec.Meta(gt=0, le=366)] = 7.0
    """How long the inputs of a large sample stay as they arrived, so that the same ones need not be sent twice."""

    sample_contents_node_bytes_max: Positive = 64_000_000
    """What these take for one node; the least recently used ones go first."""

    dataset_bytes_max: Positive = 2_000_000_000
    """Most input bytes in one data set; a larger one is refused."""

    batches_at_once_max: Positive = 64
    """Batches taken in at the same time; further ones are answered with 429 and a time at which to come again."""

    disk_free_bytes_min: Annotated[int, msgspec.Meta(ge=0)] = 200_000_000
    """While the disk has less room than this, batches are answered with 507; decisions are still stored."""


Days = Annotated[float, msgspec.Meta(ge=0, le=36_500)]


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long the hub keeps what nodes sent; 0 days: for ever."""

    records_days: Days = 90.0
    """Records one by one, as they came. Audit records of nodes stay as long as the hub's own (`hub.audit`)."""

    minutes_days: Days = 14.0
    """Counts by the minute; older ones are added up to hours."""

    hours_days: Days = 800.0
    """Counts by the hour."""

    events_days: Days = 400.0
    """Events."""

    samples_days: Days = 180.0
    """Samples that nobody labelled; a labelled one stays."""

    bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 50_000_000_000
    """What all of it may take; beyond, the oldest records go, whatever their age, then samples. 0: no limit."""

    step_rows_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    """Rows that are removed in one transaction, for which records that come in have to wait."""

    pause_s: PositiveS = 60.0
    """Time between two looks for what is too old."""


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
    """Join tokens, access tokens, sessions, passwords."""

    audit: AuditSettings = AuditSettings()
    """The hub's audit chain."""

    tls: TlsSettings = TlsSettings()
    """The certificate that the hub shows, and proxies in front of it."""

    standing: StandingSettings = StandingSettings()
    """When a node is not let in without a person's word."""

    records: RecordsSettings = RecordsSettings()
    """Records and samples of nodes."""

    retention: RetentionSettings = RetentionSettings()
    """How long what nodes sent is kept."""

    files: FileLimits = FileLimits()
    """Reference files that nodes are given."""

    shells: ShellRelayLimits = ShellRelayLimits()
    """Interactive sessions on nodes."""

    page: PageSettings = PageSettings()
    """The web page."""

    alerts: AlertSettings = AlertSettings()
    """Alerts, and whom they tell."""

    trust: RepositorySettings = RepositorySettings()
    """How long what the hub signs for nodes is good. `trust.root_life_days` and `trust.targets_life_days` say it for
    what people sign."""

    model_files: ModelFileLimits = ModelFileLimits()
    """What a model file may hold to be released; nodes look again, with limits of their own."""
