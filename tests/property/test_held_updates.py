"""Laws of versions that are held on trial: whatever happens, they are not committed, and the control stays."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ganglion.node.domain.update import reconcile
from ganglion.node.domain.update.reconcile import ModelState
from ganglion.node.domain.update.table import TRANSITIONS, Update, UpdateEvent
from ganglion.node.services.update.alignment import commands
from ganglion.ports.serving_control import ModelServing, Switch, Unload
from ganglion.wire.desired import Assignment, DeploymentPolicy, UpdateState
from unit.node.builders import an_assignment, an_installed

HELD = st.builds(
    DeploymentPolicy,
    held=st.just(True),
    traffic_share=st.sampled_from([0.0, 0.2, 1.0]),
    start_attempts_max=st.integers(1, 3),
    shadow_comparisons_min=st.sampled_from([0, 10]),
)
STEPS = st.one_of(
    st.sampled_from(list(UpdateEvent)),
    st.builds(an_assignment, st.sampled_from(["1", "2", "3"]), rollout=st.sampled_from(["x", "y"]), policy=HELD),
    st.none(),
)


def after(model: ModelState, step: UpdateEvent | Assignment | None) -> ModelState:
    """Return the model after an event, or after another wish of the hub."""
    if isinstance(step, UpdateEvent):
        update = model.update
        if update is None or update.is_final or not TRANSITIONS.allows(update.state, step):
            return model
        moved = msgspec.structs.replace(model, update=update.after(step))
    else:
        moved = reconcile.begin(model, step)
    if moved.update is None or not moved.update.is_final:
        return moved
    assert moved.update.state is not UpdateState.COMMITTED
    return reconcile.settle(moved)


@given(policy=HELD, steps=st.lists(STEPS, max_size=40))
def test_whatever_happens_a_held_version_is_not_committed_and_the_control_stays(
    policy: DeploymentPolicy, steps: list[UpdateEvent | Assignment | None]
) -> None:
    model = reconcile.begin(
        ModelState(committed=an_installed("1"), spare=an_installed("3")), an_assignment(policy=policy)
    )

    for step in steps:
        model = after(model, step)

        assert model.committed == an_installed("1")
        assert not (model.update and model.update.only_listens and model.update.state is UpdateState.PROBATION)


@given(
    policy=HELD,
    state=st.sampled_from([state for state in UpdateState if state not in TRANSITIONS.final]),
    active=st.sampled_from(["", "1", "2"]),
    loaded=st.sets(st.sampled_from(["1", "2", "3"])),
    weights=st.sampled_from([{}, {"1": 0.8, "2": 0.2}]),
)
def test_serving_is_never_told_to_leave_the_control_and_is_told_to_go_back_to_it(
    policy: DeploymentPolicy, state: UpdateState, active: str, loaded: set[str], weights: dict[str, float]
) -> None:
    update = Update(assignment=an_assignment("2", policy=policy), state=state, control="1")
    model = ModelState(committed=an_installed("1"), update=update)

    told = commands("meter", model, ModelServing(active, tuple(loaded), {}, weights=weights))

    assert all(command.version == "1" for command in told if isinstance(command, Switch))
    assert not any(command.version == "1" for command in told if isinstance(command, Unload))
    assert (active == "1") or any(isinstance(command, Switch) for command in told)
