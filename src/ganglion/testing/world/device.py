"""A machine: power, processes, clock and traffic. Its updates stand in `attempts`, its talk in `calls`."""

from collections.abc import Callable
from functools import partial

from ganglion.node.domain.update.reconcile import Installed, ModelState, NodeState
from ganglion.ports.clock import new_id
from ganglion.testing.chance import SeededChance
from ganglion.testing.world.attempts import Attempts
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.calls import Calls
from ganglion.testing.world.disk import Disk, PowerLost
from ganglion.testing.world.hub import BESIDE, FIRST, MODEL
from ganglion.testing.world.hub_door import RELEASED
from ganglion.testing.world.link import Link
from ganglion.testing.world.outbox import Outbox
from ganglion.testing.world.surroundings import Surroundings
from ganglion.testing.world.traffic import Traffic
from ganglion.wire.desired import DesiredState
from ganglion.wire.records import EventRecord

_UNSYNCED_S = 1.0
"""What serving has written in the last moment is still with the operating system, and goes with the power."""
_COLD_START_FACTOR = 2.0
_SERVING_BACK_S = 2.0
_NOTHING = ModelState()


class Device:
    """One machine. A clone is another machine under the same node id."""

    def __init__(self, around: Surroundings, maker: int, node_id: str, name: str, site: int) -> None:
        self.around, self.maker, self.node_id, self.name, self.site = around, maker, node_id, name, site
        self._agenda = around.agenda
        self.chance = SeededChance(around.seed * 1_000_003 + maker + 1)
        scenario = around.scenario
        self.link = Link(around.agenda, self.chance, loss=scenario.link.loss, delay_s=scenario.link.delay_ms / 1000.0)
        self.disk = Disk(Outbox(new_id(self.chance)))
        self.powered = self.agent_up = self.serving_up = True
        self.serving_starts = 0
        """Which start of the serving process this is: what was loaded into an earlier one is gone."""
        self.boot = 0
        """Which start of the machine or its agent this is; what an earlier one planned is void."""
        self.active: dict[str, set[str]] = {}
        self.loaded: set[str] = set()
        """Packages that this start of serving has read whole: what happens to their files does not matter to it."""
        self.clock_error_s = self.clock_drift = 0.0
        self.told_write = 0
        self.image = RELEASED
        """What it measures of its system."""
        around.hub.owners[maker] = node_id
        self.is_copied = False
        """Its disk was copied or put back: what it counts is the count of two machines, or of an older day."""
        self._powered_at_s = 0.0
        self.traffic, self.attempts, self.calls = Traffic(self), Attempts(self), Calls(self)

    @property
    def now_s(self) -> float:
        """Return true time."""
        return self._agenda.now_s

    @property
    def wall_s(self) -> float:
        """Return what the machine's clock shows, on the same scale as true time."""
        return self.now_s * (1.0 + self.clock_drift) + self.clock_error_s

    @property
    def works(self) -> bool:
        """Say whether the agent runs."""
        return self.powered and self.agent_up

    @property
    def model(self) -> ModelState:
        """Return what is stored of the model that is rolled out."""
        return self.disk.state.models.get(MODEL, _NOTHING)

    @property
    def serves(self) -> str:
        """Return the committed version of the model that is rolled out, or ""."""
        committed = self.model.committed
        return committed.version if committed else ""

    def install(self) -> None:
        """Begin life with version 1 of both models, installed and committed."""
        with self.around.hub.control.read() as tx:
            digests = {model: tx.releases(model, FIRST)[0].sha256 for model in (MODEL, BESIDE)}
        for model, digest in digests.items():
            self.around.laws.healthy.allowed(self.node_id, model=model, digest=digest)
        models = {
            model: ModelState(committed=Installed(FIRST, f"packages/{digest}", digest))
            for model, digest in digests.items()
        }
        self.disk.state = NodeState(models=models)
        self.disk.packages = {digest: digest for digest in digests.values()}
        self.active = {model: {FIRST} for model in models}
        self.loaded = set(digests.values())

    def guarded(self, work: Callable[[], None]) -> None:
        """Carry out a step that a power cut may end."""
        try:
            work()
        except PowerLost:
            self.cut_power(10.0 + 600.0 * self.chance.share())

    def plan(self, delay_s: float, work: Callable[[], None]) -> None:
        """Plan a step of the agent; it is void if the agent is another one by then."""
        boot = self.boot

        def step() -> None:
            if boot == self.boot and self.works:
                self.guarded(work)

        self.around.agenda.after(delay_s, step)

    def account(self) -> None:
        """Make the records of the time since this was last asked."""
        self.traffic.account()

    def write_event(self, event: EventRecord, *, write: int) -> None:
        """Append an event of the agent's own to the outbox."""
        self.traffic.write_event(event, write=write)

    def answered(self, version: str, requests: int) -> int:
        """Count answers; return how many of them the version before answered, too."""
        return self.attempts.answered(version, requests)

    def take(self, desired: DesiredState) -> bool:
        """Take a desired state in. False: it is not newer."""
        return self.attempts.take(desired)

    def gets_through(self) -> bool:
        """Say whether the hub would answer now."""
        return self.calls.gets_through()

    def report_soon(self) -> None:
        """A change is reported at once."""
        self.calls.report_soon()

    @property
    def free_bytes(self) -> int:
        """Return how much of the disk is free."""
        scenario = self.around.scenario
        used = len(self.disk.packages) * 2 * scenario.model_bytes + self.disk.outbox.held_bytes
        return max(0, scenario.disk_bytes - used)

    # --- processes and power ----------------------------------------------------------------------

    def cut_power(self, for_s: float) -> None:
        """Lose everything that is not on the disk, and come back later."""
        if not self.powered:
            return
        self.traffic.account(max(self.traffic.made_until_s, self.now_s - _UNSYNCED_S))
        self.around.tally.power_cuts += 1
        self.boot += 1
        self.powered = self.agent_up = self.serving_up = False
        self.active, self.loaded = {}, set()
        if self.disk.part is not None and self.chance.share() < 0.3:  # noqa: PLR2004 - a tail that was never synced
            self.disk.part.spoiled = True
        self.around.agenda.after(for_s, self._power_on)

    def _power_on(self) -> None:
        self.powered = True
        self._powered_at_s = self.now_s
        self.serving_starts += 1
        self.around.agenda.after(self.around.scenario.devices.start_s, partial(self._serve_again, self.serving_starts))
        self.start_agent(self.boot)

    def kill_agent(self, for_s: float) -> None:
        """Kill the agent; its supervisor starts it again."""
        if self.works:
            self.account()
            self.boot += 1
            self.agent_up = False
            self.around.tally.restarts += 1
            self.around.agenda.after(for_s, partial(self.start_agent, self.boot))

    def note_told(self, disk: Disk, write: int) -> None:
        """The hub has heard of a write to a disk, which may have been put back since."""
        if disk is self.disk:
            self.told_write = max(self.told_write, write)

    def put_back(self, image: Disk) -> None:
        """Go on with an older copy of the disk, after a start."""
        self.disk = image.image()
        self.traffic.journal = []
        self.told_write = image.write
        self.is_copied = True
        self.cut_power(60.0)

    def become_copy_of(self, other: "Device") -> None:
        """Begin with a copy of another machine's disk, as it is now."""
        self.disk = other.disk.image()
        self.told_write = self.disk.write
        models = self.disk.state.models
        self.active = {model: {state.committed.version} for model, state in models.items() if state.committed}
        self.is_copied = other.is_copied = True
        self.traffic.made_until_s = self.now_s
        self.guarded(self.attempts.resume)

    def start_agent(self, boot: int) -> None:
        """Start on what the disk holds."""
        if boot != self.boot or not self.powered or self.agent_up:
            return
        self.agent_up = True
        law = self.around.laws.power
        law.found(self.now_s, self.name, state_of=self.disk.write, records_of=self.disk.records_write)
        law.told(self.now_s, self.name, told_of=self.told_write, found=self.disk.write)
        self.account()
        self.guarded(self.attempts.resume)
        self.calls.start()

    def kill_serving(self, for_s: float = _SERVING_BACK_S) -> None:
        """Kill the serving process; its supervisor starts it again."""
        if self.powered and self.serving_up:
            self.account()
            self.serving_up = False
            self.loaded = set()
            self.around.tally.restarts += 1
            lost = self.active
            self.active = {}
            if Bug.TWO_ACTIVE_SLOTS in self.around.bugs:
                self.active = {MODEL: set(lost.get(MODEL, ()))}
            self._powered_at_s = self.now_s + for_s
            self.serving_starts += 1
            self.around.agenda.after(for_s + 1.0, partial(self._serve_again, self.serving_starts))

    def _serve_again(self, start: int) -> None:
        """Start on what is committed; serving needs no agent for that."""
        if not self.powered or start != self.serving_starts:
            return
        self.account()
        self.serving_up = True
        self.around.laws.serves.started(
            self.now_s, self.name, took_s=self.now_s - self._powered_at_s,
            bound_s=_COLD_START_FACTOR * self.around.scenario.devices.start_s + 4 * _SERVING_BACK_S,
        )  # fmt: skip
        keeps = Bug.TWO_ACTIVE_SLOTS in self.around.bugs
        for model, state in self.disk.state.models.items():
            committed = state.committed
            if committed and self.disk.packages.get(committed.sha256) == committed.sha256:
                self.activate(model, committed.version, committed.sha256, keeps=keeps)
        if self.agent_up:
            self.guarded(self.attempts.serving_came_back)
        self.check_serving()

    def activate(self, model: str, version: str, digest: str, *, keeps: bool = False) -> None:
        """Let a version answer from now on."""
        self.account()
        content = digest if digest in self.loaded else self.disk.packages.get(digest, "nothing")
        self.loaded.add(digest)
        self.around.laws.healthy.activated(self.now_s, self.node_id, model=model, digest=content)
        self.active[model] = {version, *(self.active.get(model, ()) if keeps else ())}

    def check_serving(self) -> None:
        """Let law 1 look."""
        # Serving that finds its package damaged needs the agent to fall back to the spare.
        if self.works and self.serving_up:
            answering = self.active.get(MODEL, set())
            self.around.laws.serves.answers(self.now_s, self.name, answering, has_committed=bool(self.serves))
