"""What a user tells of a fleet: machines, links, models, rates and budgets. Everything has a default."""

from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta

from ganglion.core.errors import InvalidRequest
from ganglion.node.domain.sending import egress
from ganglion.node.domain.sending.egress import EgressSettings
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings

PROFILES = ("ship", "mine", "factory", "retail", "vehicles")

_LOOK_S_MIN = 0.1
_ROLLBACKS_BORNE = 0.5
"""Where a single node that goes back ends the rollout, nobody could retry it."""

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Devices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The machines of the fleet."""

    nodes: Annotated[int, Meta(ge=1, le=100_000)] = 30
    sites: Annotated[int, Meta(ge=1, le=10_000)] = 5
    disk_gb: Positive = 64.0
    """Disk that packages and records share, in 10^9 bytes."""
    outbox_gb: Positive = 0.5
    """`node.agent.outbox_bytes_max`, in 10^9 bytes."""
    start_s: Positive = 8.0
    """From power to the first answer."""
    install_s: Positive = 5.5
    """From a downloaded package to its first answer: checked, loaded, proved and switched to."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node does all day."""

    results_per_s: NotNegative = 5.0
    samples_per_hour: NotNegative = 20.0
    result_bytes: Positive = 60.0
    """One result as it lies in the outbox, without the 40 bytes that every record costs there."""
    sample_bytes: Positive = 20_000.0
    results_share: Share = 1.0
    """Share of the results that are sent one by one; the others leave as counts, minute by minute."""
    compression: Share = 0.4
    """Bytes on the link for each byte in the outbox."""
    flush_s: Positive = 300.0
    """How often a node sends; in the world, batches of this long a time leave as one."""


class Connection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The way between a node and the hub."""

    up_kbps: Positive = 2_000.0
    down_kbps: Positive = 10_000.0
    delay_ms: NotNegative = 60.0
    loss: Share = 0.0
    """Share of the messages that do not arrive."""
    back_s: Positive = 5.0
    """How long a node may wait before it tries a link again that was gone: `node.agent.backoff_s_max`."""
    offline: tuple[str, ...] = ()
    """Times without a link, in hours since the start, such as "24-528": for every node."""
    egress: EgressSettings = EgressSettings()
    """What the link may carry, and when: `node.agent.egress`."""


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version that is rolled out at an hour of the simulation."""

    version: str
    at_h: NotNegative
    behaves: str = "good"
    """good, crash, slow, wrong_on_one_site or confident_and_wrong."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fleet and what is planned for it."""

    title: str = "a fleet"
    hours: Annotated[float, Meta(gt=0, le=10_000)] = 72.0
    devices: Devices = Devices()
    rates: Rates = Rates()
    link: Connection = Connection()
    model_mb: Positive = 40.0
    """Size of a release, in 10^6 bytes."""
    releases: tuple[Release, ...] = ()
    """Empty: three of them, spread over the time, one of which is bad in a way that the seed chooses."""
    stages: tuple[str, ...] = ("10%", "40%", "100%")
    soak_s: NotNegative = 600.0
    deadline_h: Positive = 8.0
    """A stage that is not decided by then aborts its rollout."""
    reports_min_share: Share = 0.8
    probation_s: NotNegative = 120.0
    hub_look_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    """How often the hub looks at its rollouts; 0: every minute, and every five in a fleet of more than 60 nodes."""
    varied_rollouts: bool = False
    """Order every rollout in another way: for later, behind another one, with approvals, as an emergency."""
    settle_h: NotNegative = 6.0
    """Calm time at the end, added to `hours`: within it everybody must have what is wanted (law 8)."""

    def gate(self) -> GateSettings:
        """Return the gate of every rollout."""
        return GateSettings(
            inferences_min=100,
            soak_s=self.soak_s,
            compared_min=50,
            reports_min_share=self.reports_min_share,
            deadline_s=self.deadline_h * 3600.0,
            rollback_share_max=_ROLLBACKS_BORNE if self.varied_rollouts else 0.0,
        )

    def probation(self) -> ProbationSettings:
        """Return what every node asks of a version."""
        return ProbationSettings(probation_s=self.probation_s, inferences_min=50, compared_min=50)

    def limits(self) -> OutboxLimits:
        """Return the cap of the outbox."""
        return OutboxLimits(total_bytes_max=int(self.devices.outbox_gb * 1e9))

    @property
    def disk_bytes(self) -> int:
        """Return the disk of a node."""
        return int(self.devices.disk_gb * 1e9)

    @property
    def model_bytes(self) -> int:
        """Return the size of a package."""
        return int(self.model_mb * 1e6)


def read_scenario(tree: object) -> Scenario:
    """Return what a file says. Raises: InvalidRequest: it says something that no fleet has."""
    try:
        scenario = msgspec.convert(tree, Scenario, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the scenario does not fit: {error}") from error
    check(scenario)
    return scenario


def check(scenario: Scenario) -> None:
    """Raises: InvalidRequest, InvalidSettings: parts of it contradict each other."""
    egress.check(scenario.link.egress)
    for text in scenario.link.offline:
        span_h(text)
    if scenario.devices.sites > scenario.devices.nodes:
        raise InvalidRequest(f"{scenario.devices.nodes} nodes cannot stand on {scenario.devices.sites} sites")
    if 0.0 < scenario.hub_look_s < _LOOK_S_MIN:
        raise InvalidRequest(f"the hub looks at its rollouts every {_LOOK_S_MIN:g} s at the most")
    versions = [release.version for release in scenario.releases]
    if len(set(versions)) < len(versions) or "1" in versions:
        raise InvalidRequest('every release has a version of its own, and "1" is what the fleet begins with')
    for release in scenario.releases:
        if release.at_h >= scenario.hours:
            raise InvalidRequest(f"version {release.version} comes at {release.at_h:g} h, after the end")
        if release.behaves not in BEHAVES:
            raise InvalidRequest(f"no version behaves {release.behaves!r}: there are {', '.join(BEHAVES)}")


def span_h(text: str) -> tuple[float, float]:
    """Return the two hours in "24-528". Raises: InvalidRequest."""
    first, _, last = text.partition("-")
    try:
        span = float(first), float(last)
    except ValueError:
        span = 0.0, 0.0
    if not 0 <= span[0] < span[1] < float("inf"):
        raise InvalidRequest(f"{text[:40]!r} is no time in hours: write it as 24-528")
    return span


def profile_text(name: str) -> str:
    """Return the TOML of a profile that ships with the package. Raises: InvalidRequest: there is none."""
    if name not in PROFILES:
        raise InvalidRequest(f"there is no profile {name[:40]!r}: there are {', '.join(PROFILES)}")
    return (resources.files(__package__) / "profiles" / f"{name}.toml").read_text(encoding="utf-8")


BEHAVES = ("good", "crash", "slow", "wrong_on_one_site", "confident_and_wrong")
