"""The hub, put together: which adapter stands behind which port, and what is shared between services.

Opening a hub locks its data directory first, so that everything after it works alone; leaving the
`with` block closes in the opposite order, whatever happened.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ganglion.adapters import certificates, hub_store
from ganglion.adapters.artifact_files import ArtifactFiles
from ganglion.adapters.certificates import TlsFiles
from ganglion.adapters.files import DirectoryFiles, KeyFiles, lock_directory
from ganglion.core.errors import DataCorrupt, DiskUnusable
from ganglion.entrypoints.hub_counts import FleetCounter
from ganglion.entrypoints.hub_metrics import HubMetrics
from ganglion.entrypoints.hub_settings import HubSettings
from ganglion.entrypoints.sandboxes import gated_archives
from ganglion.entrypoints.waiters import Waiters
from ganglion.hub.domain.ingest import BatchLimits
from ganglion.hub.services.accounts import Accounts, AccountSettings
from ganglion.hub.services.curation import Curation, CurationLimits
from ganglion.hub.services.desired import Desired
from ganglion.hub.services.enrolment import Enrolment, EnrolmentSettings
from ganglion.hub.services.fleet import Fleet
from ganglion.hub.services.ingest import Ingest
from ganglion.hub.services.releases import Releases
from ganglion.hub.services.repository import Repository
from ganglion.hub.services.restoration import Restoration
from ganglion.hub.services.rollouts import Rollouts
from ganglion.hub.services.telemetry import Telemetry
from ganglion.ports.artifacts import ArtifactStore
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.trust.edition import TIMESTAMP_FILE

_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, never bound to


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
    accounts: Accounts
    enrolment: Enrolment
    fleet: Fleet
    desired: Desired
    restoration: Restoration
    rollouts: Rollouts
    releases: Releases
    ingest: Ingest
    curation: Curation
    telemetry: Telemetry
    phase: Phase = field(default_factory=Phase)

    @property
    def artifacts(self) -> ArtifactStore:
        """Content by digest."""
        return self.world.artifacts

    def renew(self) -> TlsFiles:
        """Sign again the metadata, and make again the certificates, that expire soon. Call it hourly."""
        self.repository.refresh_timestamp()
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
    repository = Repository(files=DirectoryFiles(data / "tuf" / "metadata"), keys=KeyFiles(data / "keys"), clock=clock)
    repository.initialise()
    desired = Desired(
        control=control,
        repository_root_version=repository.root_version,
        changed=waiters.wake,
        sign=repository.sign_assignment,
    )
    desired.sign_again(repository.assignment_keys())
    return Hub(
        settings=settings,
        world=world,
        tls=tls,
        waiters=waiters,
        metrics=HubMetrics(_counter(settings, world, waiters, repository).counts),
        uploads=_empty_directory(data / "uploads"),
        repository=repository,
        accounts=Accounts(control=control, clock=clock, chance=chance, settings=_accounts(settings)),
        enrolment=Enrolment(
            control=control,
            clock=clock,
            chance=chance,
            ca_pin=tls.ca_pin,
            tuf_root=repository.root,
            settings=_enrolment(settings),
        ),
        fleet=Fleet(control=control, telemetry=world.telemetry, desired=desired, clock=clock),
        desired=desired,
        restoration=Restoration(control=control, repository=repository, desired=desired, chance=chance),
        rollouts=Rollouts(control=control, telemetry=world.telemetry, desired=desired, clock=clock, chance=chance),
        releases=Releases(
            control=control,
            artifacts=world.artifacts,
            packages=gated_archives(settings.model_files),
            repository=repository,
            clock=clock,
        ),
        ingest=Ingest(telemetry=world.telemetry, clock=clock, limits=_batches(settings)),
        curation=Curation(
            control=control,
            telemetry=world.telemetry,
            artifacts=world.artifacts,
            clock=clock,
            limits=CurationLimits(
                samples_max=settings.http.rows_max, dataset_bytes_max=settings.records.dataset_bytes_max
            ),
        ),
        telemetry=Telemetry(control=control, telemetry=world.telemetry),
    )


def _open_tls(settings: HubSettings, clock: Clock) -> TlsFiles:
    return certificates.open_authority(
        Path(settings.data_dir) / "tls", hostnames=_hostnames(settings), now_s=utc_s(clock)
    )


def _counter(settings: HubSettings, world: World, waiters: Waiters, repository: Repository) -> FleetCounter:
    return FleetCounter(
        control=world.control,
        telemetry=world.telemetry,
        waiters=waiters,
        clock=world.clock,
        silent_after_s=settings.silent_after_s,
        trust=repository.roles,
    )


def _accounts(settings: HubSettings) -> AccountSettings:
    chosen = settings.identity
    return AccountSettings(session_life_s=chosen.session_life_s, accounts_max=chosen.accounts_max)


def _enrolment(settings: HubSettings) -> EnrolmentSettings:
    chosen = settings.identity
    return EnrolmentSettings(
        join_token_life_s_max=chosen.join_token_life_s_max,
        challenge_life_s=chosen.challenge_life_s,
        access_token_life_s=chosen.access_token_life_s,
    )


def _batches(settings: HubSettings) -> BatchLimits:
    chosen = settings.records
    return BatchLimits(
        records_max=chosen.batch_records_max,
        bytes_max=chosen.batch_bytes_max,
        sample_bytes_max=chosen.sample_bytes_max,
    )


def _hostnames(settings: HubSettings) -> tuple[str, ...]:
    """Return the certificate's names: those of the settings, and the address itself when it is a real one."""
    known = settings.host in _WILDCARDS or settings.host in settings.hostnames
    return settings.hostnames if known else (*settings.hostnames, settings.host)


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
