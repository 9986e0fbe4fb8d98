"""The hub, put together: which adapter stands behind which port, and what is shared between services.

Opening a hub locks its data directory first, so that everything after it works alone; leaving the
`with` block closes in the opposite order, whatever happened.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from ganglion.adapters import certificates, hub_store
from ganglion.adapters.artifact_files import ArtifactFiles
from ganglion.adapters.certificates import TlsFiles
from ganglion.adapters.certificates.own import open_own
from ganglion.adapters.content_files import ContentFiles
from ganglion.adapters.files import DirectoryFiles, KeyFiles, lock_directory
from ganglion.core.errors import DataCorrupt, DiskUnusable
from ganglion.entrypoints.hub_wiring import limits as hub_limits
from ganglion.entrypoints.hub_wiring.alerts import Alerting, open_alerting
from ganglion.entrypoints.hub_wiring.audit import AuditTrail, open_trail
from ganglion.entrypoints.hub_wiring.batch_gate import BatchGate
from ganglion.entrypoints.hub_wiring.counts import FleetCounter
from ganglion.entrypoints.hub_wiring.metrics import HubMetrics
from ganglion.entrypoints.hub_wiring.organisation import Organisation, organise
from ganglion.entrypoints.hub_wiring.people import People, open_people
from ganglion.entrypoints.hub_wiring.shells import shells_of
from ganglion.entrypoints.hub_wiring.status import HubFigures, free_bytes_of
from ganglion.entrypoints.hub_wiring.waiters import Waiters
from ganglion.entrypoints.processes.sandboxes import gated_archives
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.hub.services.alerts.hub_facts import HubItself
from ganglion.hub.services.audit.chain import Audit
from ganglion.hub.services.identity.alarms import Alarms
from ganglion.hub.services.identity.enrolment import Enrolment
from ganglion.hub.services.identity.standings import Standings
from ganglion.hub.services.incarnation import begin_revisions
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.fleet import Fleet
from ganglion.hub.services.nodes.fleet_states import FleetStates
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.nodes.orders import Orders
from ganglion.hub.services.nodes.reference_files import ReferenceFiles
from ganglion.hub.services.people.accounts import Accounts
from ganglion.hub.services.records.ingest import Ingest
from ganglion.hub.services.records.retention import Retention
from ganglion.hub.services.records.telemetry import Telemetry
from ganglion.hub.services.releases.releases import Releases
from ganglion.hub.services.releases.repository import Repository
from ganglion.hub.services.restoration import Restoration
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.hub.services.samples.curation import Curation, CurationLimits
from ganglion.hub.services.samples.sample_contents import SampleContents
from ganglion.hub.services.shells.shells import Shells
from ganglion.ports.artifacts import ArtifactStore
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.trust.edition import TIMESTAMP_FILE


@dataclass(slots=True)
class Phase:
    """Whether the hub takes work."""

    name: Literal["starting", "ready", "stopping"] = "starting"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What services get from outside: stores, clock and chance."""

    clock: Clock
    chance: Chance
    control: ControlStore
    telemetry: TelemetryStore
    artifacts: ArtifactStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Every service of one hub, and what its HTTP surface needs beside them."""

    settings: HubSettings
    world: World
    tls: TlsFiles
    waiters: Waiters
    metrics: HubMetrics
    uploads: Path
    """A directory for bodies on their way in, on the same disk as the artifacts."""
    repository: Repository
    people: People
    trail: AuditTrail
    enrolment: Enrolment
    standings: Standings
    fleet: Fleet
    desired: Desired
    node_settings: NodeSettings
    reference_files: ReferenceFiles
    orders: Orders
    shells: Shells
    organisation: Organisation
    alerting: Alerting
    restoration: Restoration
    rollouts: Rollouts
    releases: Releases
    contents: SampleContents
    ingest: Ingest
    curation: Curation
    telemetry: Telemetry
    retention: Retention
    gate: BatchGate
    figures: HubFigures
    phase: Phase = field(default_factory=Phase)

    @property
    def accounts(self) -> Accounts:
        """People and their sessions."""
        return self.people.accounts

    @property
    def audit(self) -> Audit:
        """The audit chain."""
        return self.trail.audit

    @property
    def artifacts(self) -> ArtifactStore:
        """Content by digest."""
        return self.world.artifacts

    def renew(self) -> TlsFiles:
        """Sign again what expires soon, and do what else is due once an hour. Call it hourly."""
        self.repository.refresh_timestamp()
        self.standings.ask_due()
        self.organisation.figures.take_look()
        self.trail.tend()
        self.contents.remove_old()
        return _open_tls(self.settings, self.world.clock)

    def new_id(self) -> str:
        """Return a new identifier."""
        return new_id(self.world.chance)

    def now_s(self) -> float:
        """Return wall-clock time in seconds since 1970."""
        return utc_s(self.world.clock)


@contextmanager
def open_hub(settings: HubSettings, *, clock: Clock, chance: Chance) -> Iterator[Hub]:
    """Open the data directory and everything in it; make what is missing.

    Raises: DataInUse, DataTooNew, DataCorrupt, DiskUnusable.
    """
    data = Path(settings.data_dir)
    with ExitStack() as stack:
        _make_directory(data)
        lock = lock_directory(data)
        stack.callback(lock.release)
        _check_databases(data)
        control = hub_store.open_control(data / "control.db")
        stack.callback(control.close)
        telemetry = hub_store.open_telemetry(data / "telemetry.db")
        stack.callback(telemetry.close)
        artifacts = ArtifactFiles(data / "artifacts")
        world = World(clock=clock, chance=chance, control=control, telemetry=telemetry, artifacts=artifacts)
        yield _assemble(settings, world, data)


def _assemble(settings: HubSettings, world: World, data: Path) -> Hub:
    clock, chance, control = world.clock, world.chance, world.control
    tls = _open_tls(settings, clock)
    waiters = Waiters(waiting_max=settings.http.long_polls_max, per_node_max=settings.http.long_polls_per_node_max)
    repository = _open_repository(settings, data, clock)
    desired = _open_desired(world, repository, waiters)
    trail = open_trail(settings.audit, data, world, root_version=repository.root_version)
    fleet = Fleet(control=control, telemetry=world.telemetry, desired=desired, clock=clock, witness=trail.audit.witness)
    standings = _standings(settings, world, waiters)
    node_settings = NodeSettings(
        control=control, desired=desired, clock=clock, chance=chance, envelope=lambda: repository.envelope()[1]
    )
    rollouts = Rollouts(control=control, telemetry=world.telemetry, desired=desired, clock=clock, chance=chance)
    organisation = organise(
        world,
        desired=desired,
        node_settings=node_settings,
        rollouts=rollouts,
        fleet=fleet,
        waiters=waiters,
        silent_after_s=settings.silent_after_s,
    )
    figures = _figures(settings, world, data, waiters)
    itself = HubItself(
        free_bytes=figures.free_bytes,
        roles=repository.roles,
        certificate_expires_at_s=partial(certificates.expires_at_s, tls.cert_path),
    )
    alerting = open_alerting(settings.alerts, world, last_seen_at_s=fleet.last_seen_at_s, itself=itself)
    contents = _contents(settings, data, figures, clock)
    return Hub(
        settings=settings,
        world=world,
        tls=tls,
        waiters=waiters,
        metrics=HubMetrics(
            _counter(world, waiters, repository, organisation.states).counts,
            figures.status,
            organisation.figures.gauges,
            alerting.alerts.firing,
        ),
        uploads=_empty_directory(data / "uploads"),
        repository=repository,
        people=open_people(settings.identity, control=control, clock=clock, chance=chance),
        trail=trail,
        standings=standings,
        enrolment=_enrolment(settings, world, tls, repository, standings),
        fleet=fleet,
        desired=desired,
        node_settings=node_settings,
        reference_files=ReferenceFiles(
            control=control, artifacts=world.artifacts, desired=desired, clock=clock, limits=settings.files
        ),
        orders=Orders(control=control, telemetry=world.telemetry),
        shells=shells_of(data, settings.shells, world, node_settings, repository=repository, changed=waiters.wake),
        organisation=organisation,
        alerting=alerting,
        restoration=Restoration(control=control, repository=repository, desired=desired, chance=chance),
        rollouts=rollouts,
        releases=_releases(settings, world, repository),
        ingest=_ingest(settings, world, figures, contents),
        contents=contents,
        curation=_curation(settings, world),
        telemetry=Telemetry(control=control, telemetry=world.telemetry),
        retention=figures.retention,
        gate=figures.gate,
        figures=figures,
    )


def _contents(settings: HubSettings, data: Path, figures: HubFigures, clock: Clock) -> SampleContents:
    store, limits = ContentFiles(data / "samples"), hub_limits.contents(settings)
    return SampleContents(store=store, clock=clock, limits=limits, free_bytes=figures.free_bytes)


def _standings(settings: HubSettings, world: World, waiters: Waiters) -> Standings:
    return Standings(
        control=world.control,
        clock=world.clock,
        alarms=Alarms(telemetry=world.telemetry, clock=world.clock),
        changed=waiters.wake,
        settings=settings.standing,
    )


def _releases(settings: HubSettings, world: World, repository: Repository) -> Releases:
    return Releases(
        control=world.control,
        artifacts=world.artifacts,
        packages=gated_archives(settings.model_files),
        repository=repository,
        clock=world.clock,
    )


def _enrolment(
    settings: HubSettings, world: World, tls: TlsFiles, repository: Repository, standings: Standings
) -> Enrolment:
    return Enrolment(
        control=world.control,
        clock=world.clock,
        chance=world.chance,
        ca_pin=tls.ca_pin,
        tuf_root=repository.root,
        standings=standings,
        settings=hub_limits.enrolment(settings),
    )


def _open_desired(world: World, repository: Repository, waiters: Waiters) -> Desired:
    """Return what nodes should do, signed with the keys of today."""
    desired = Desired(
        control=world.control,
        repository_root_version=repository.root_version,
        changed=waiters.wake,
        sign=repository.sign_assignment,
        sign_order=repository.sign_order,
        sign_files=repository.sign_files,
        envelope_version=lambda: repository.envelope()[0],
        now_s=partial(utc_s, world.clock),
    )
    with world.control.write() as tx:
        begin_revisions(tx, world.chance)
    desired.sign_again(repository.assignment_keys())
    desired.tell_limits()
    return desired


def _figures(settings: HubSettings, world: World, data: Path, waiters: Waiters) -> HubFigures:
    """Return what the hub knows of itself, with the parts that keep records within bounds."""
    clock = world.clock
    return HubFigures(
        retention=Retention(
            control=world.control, telemetry=world.telemetry, clock=clock, limits=hub_limits.retention(settings)
        ),
        waiters=waiters,
        gate=BatchGate(clock=clock, chance=world.chance, at_once_max=settings.records.batches_at_once_max),
        free_bytes=free_bytes_of(data),
        free_bytes_min=settings.records.disk_free_bytes_min,
        telemetry_bytes_max=settings.retention.bytes_max,
    )


def _ingest(settings: HubSettings, world: World, figures: HubFigures, contents: SampleContents) -> Ingest:
    return Ingest(
        telemetry=world.telemetry,
        clock=world.clock,
        limits=hub_limits.batches(settings),
        free_bytes=figures.free_bytes,
        joined=contents.joined,
    )


def _curation(settings: HubSettings, world: World) -> Curation:
    limits = CurationLimits(samples_max=settings.http.rows_max, dataset_bytes_max=settings.records.dataset_bytes_max)
    return Curation(
        control=world.control,
        telemetry=world.telemetry,
        artifacts=world.artifacts,
        clock=world.clock,
        limits=limits,
    )


def _open_repository(settings: HubSettings, data: Path, clock: Clock) -> Repository:
    repository = Repository(
        files=DirectoryFiles(data / "tuf" / "metadata"),
        keys=KeyFiles(data / "keys"),
        clock=clock,
        settings=settings.trust,
    )
    repository.initialise()
    return repository


def _open_tls(settings: HubSettings, clock: Clock) -> TlsFiles:
    now_s, own = utc_s(clock), settings.tls.own_files()
    hub = certificates.open_authority(
        Path(settings.data_dir) / "tls", hostnames=hub_limits.hostnames(settings), now_s=now_s
    )
    return hub if own is None else open_own(own, hub, now_s=now_s)


def _counter(world: World, waiters: Waiters, repository: Repository, states: FleetStates) -> FleetCounter:
    return FleetCounter(
        control=world.control,
        telemetry=world.telemetry,
        waiters=waiters,
        clock=world.clock,
        states=states,
        trust=repository.roles,
    )


def _check_databases(data: Path) -> None:
    """Refuse to begin anew in the directory of a hub that has lost a database. Raises: DataCorrupt."""
    if not (data / "tuf" / "metadata" / TIMESTAMP_FILE).exists():
        return
    for name in ("control.db", "telemetry.db"):
        parts = (data / name, data / f"{name}-wal")
        if not any(part.exists() and part.stat().st_size for part in parts):
            raise DataCorrupt(f"{data / name} is missing or empty, and nodes trust this hub: put a backup in its place")


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DiskUnusable(f"{path} cannot be made: {error.strerror}") from error


def _empty_directory(path: Path) -> Path:
    """Return an empty directory: what an earlier process left half-received is worth nothing."""
    shutil.rmtree(path, ignore_errors=True)
    _make_directory(path)
    return path
