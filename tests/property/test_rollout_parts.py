"""Laws of rollouts whose nodes lie apart from their documents: whatever happened, what is read is what was stored."""

from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.core.errors import DataCorrupt, DiskUnusable
from ganglion.hub.domain.rollouts.document import Previous, Rollout, Stage
from ganglion.hub.domain.rollouts.parts import SHOWN_MAX
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.testing.memory_store import MemoryControlStore
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

NODES = [f"n{number}" for number in range(12)]
TIMES = ("given_at_s", "committed", "rolled_back", "left_behind", "retried_at_s", "returned")
LAW = settings(max_examples=60, deadline=None, derandomize=True)

some_nodes = st.lists(st.sampled_from(NODES), unique=True)
had = st.sampled_from([None, Previous("1", "fp32"), Previous("1", "int8")])
CHANGES = st.one_of(
    st.tuples(st.sampled_from(TIMES), st.dictionaries(st.sampled_from(NODES), st.floats(0, 9))),
    st.tuples(st.just("attempts"), st.dictionaries(st.sampled_from(NODES), st.integers(1, 3))),
    st.tuples(st.just("previous"), st.dictionaries(st.sampled_from(NODES), had)),
    st.tuples(st.sampled_from(["stage 0", "stage 1"]), some_nodes),
    st.tuples(st.just("reason"), st.sampled_from(["", "a whim"])),
)
EVENTS = st.lists(st.one_of(CHANGES, st.sampled_from(["restart", "failed write", "back up", "restore"])), max_size=25)


def empty() -> Rollout:
    stages = (Stage(share="5%", node_ids=()), Stage(share="100%", node_ids=()))
    return Rollout(
        rollout_id="r1",
        model="digits",
        version="2",
        stages=stages,
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        created_at_s=0.0,
        updated_at_s=0.0,
    )


def changed(rollout: Rollout, name: str, value: object) -> Rollout:
    if name.startswith("stage"):
        assert isinstance(value, list | tuple)
        index = int(name[-1])
        stage = msgspec.structs.replace(rollout.stages[index], node_ids=tuple(value))
        stages = [*rollout.stages]
        stages[index] = stage
        return msgspec.structs.replace(rollout, stages=tuple(stages))
    return msgspec.structs.replace(rollout, **{name: value})


@dataclass
class Hub:
    store: MemoryControlStore = field(default_factory=MemoryControlStore)

    def keep(self, rollout: Rollout, *, nodes_max: int = -1) -> None:
        with self.store.write() as tx:
            rollout_rows.store(tx, rollout, nodes_max=nodes_max)

    def read(self) -> Rollout:
        with self.store.read() as tx:
            return rollout_rows.load(tx, "r1")

    def fail_to_keep(self, rollout: Rollout) -> None:
        self.store.disk_full = True
        with suppress(DiskUnusable):
            self.keep(rollout)
        self.store.disk_full = False


def restart() -> None:
    """Forget what a process that was killed had in memory."""
    rollout_rows._kept = rollout_rows._Kept()


@LAW
@given(EVENTS)
def test_what_is_read_is_what_was_stored_after_restarts_failed_writes_and_restores_too(events: list[object]) -> None:
    hub, rollout = Hub(), empty()
    restart()
    hub.keep(rollout)
    saved = hub.store._committed, rollout
    for event in events:
        if event == "restart":
            restart()
        elif event == "back up":
            saved = hub.store._committed, rollout
        elif event == "restore":
            hub.store._committed, rollout = saved
        elif event == "failed write":
            hub.fail_to_keep(changed(rollout, "committed", {"n0": 5.0}))
        else:
            assert isinstance(event, tuple)
            rollout = changed(rollout, *event)
            hub.keep(rollout)

        assert hub.read() == rollout


@LAW
@given(st.lists(CHANGES, max_size=12), st.lists(st.sampled_from([-1, 5]), min_size=12, max_size=12))
def test_a_rollout_may_become_large_and_small_again(changes: list[tuple[str, object]], limits: list[int]) -> None:
    hub, rollout = Hub(), empty()
    for change, nodes_max in zip(changes, limits, strict=False):
        rollout = changed(rollout, *change)
        hub.keep(rollout, nodes_max=nodes_max)
        restart()

        assert hub.read() == rollout


@LAW
@given(st.lists(CHANGES, max_size=12))
def test_a_short_document_tells_the_figures_of_all_nodes(changes: list[tuple[str, object]]) -> None:
    hub, rollout = Hub(), empty()
    for change in changes:
        rollout = changed(rollout, *change)
    hub.keep(rollout)

    with hub.store.read() as tx:
        short = rollout_rows.short(rollout_rows.row_of(tx, "r1"))

    assert short.apart is not None
    assert [short.size_of(index) for index in (0, 1)] == [rollout.size_of(index) for index in (0, 1)]
    assert (short.commits, short.failures, short.gifts) == (rollout.commits, rollout.failures, rollout.gifts)
    assert short.last_committed_at_s == rollout.last_committed_at_s


def test_parts_that_grow_too_long_are_replaced_by_a_first_one() -> None:
    hub, rollout = Hub(), empty()
    names = tuple(f"{number:032x}" for number in range(9000))
    rollout = changed(rollout, "stage 0", names)
    hub.keep(rollout, nodes_max=SHOWN_MAX)
    counts = []
    for at_s in range(1, 30):
        rollout = changed(rollout, "committed", dict.fromkeys(names, float(at_s)))
        hub.keep(rollout, nodes_max=SHOWN_MAX)
        with hub.store.read() as tx:
            counts.append(len(tx.rollout_parts("r1")))

    assert max(counts) < 20
    assert 1 in counts
    restart()
    assert hub.read() == rollout


def test_a_rollout_whose_parts_were_lost_is_damaged_and_not_empty() -> None:
    hub = Hub()
    hub.keep(changed(empty(), "stage 0", ["n0", "n1"]))
    restart()
    with hub.store.write() as tx:
        tx.remove_rollout_parts("r1", before=100)

    with pytest.raises(DataCorrupt):
        hub.read()
