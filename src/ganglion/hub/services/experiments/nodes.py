"""The nodes of an experiment: who can take part, what its challengers are given, and what everybody has back."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.core.errors import Conflict, NotFound
from ganglion.hub.domain.experiments import arms as experiment_arms
from ganglion.hub.domain.experiments import modes as experiment_modes
from ganglion.hub.domain.experiments import request as experiment_request
from ganglion.hub.domain.experiments.document import Experiment
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts.document import Previous, Terms
from ganglion.hub.domain.rollouts.stages import GROUP
from ganglion.hub.services.evidence.roster import is_current
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.hub.services.nodes.desired import Desired, assignment_row
from ganglion.hub.services.nodes.fleet import report_of
from ganglion.hub.services.releases.release_choice import choose_release
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.ports.hub_store import AssignmentRow, ControlTransaction, NodeRow, ReleaseRow
from ganglion.wire.experiment_resources import ExperimentRequest

LEFT_OUT_MAX = 1000
"""Nodes that are named with the reason why they take no part."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: by node id, what it has now; by node name, why it does not."""

    members: Sequence[Sequence[str]]
    """Node ids of each arm, the control's first."""
    had: dict[str, Previous]
    left_out: dict[str, str]


def cast(tx: ControlTransaction, experiment: Experiment) -> Cast:
    """Return the arms over the nodes of now.

    Raises: NotFound: a version was not released, or the group is missing. Conflict: too few nodes can take part.
    """
    request = experiment.request
    offers = {arm.version: _released(tx, request.model, arm.version) for arm in experiment.arms}
    given = {row.node_id: row for row in tx.assignments(model=request.model)}
    incarnation = known_incarnation(tx)
    fit, left_out = dict[str, NodeRow](), dict[str, str]()
    for node in reached(tx, request):
        why_not = _why_not(node, request, given.get(node.node_id), offers, incarnation)
        if not why_not:
            fit[node.node_id] = node
        elif len(left_out) < LEFT_OUT_MAX:
            left_out[node.name] = why_not
    seed = experiment_request.seed_of(request)
    places, partners = experiment_arms.without_partners(
        seed, [rollout_planning.place_of(node) for node in fit.values()]
    )
    for place in partners[: LEFT_OUT_MAX - len(left_out)]:
        left_out[fit[place.node_id].name] = "the node that stands in for it takes part"
    if experiment_modes.is_inside(request):
        members = experiment_arms.together(len(experiment.arms), places)
    else:
        members = experiment_arms.divide(seed, [arm.share for arm in experiment.arms], places)
    challengers = [node_id for arm in members[1:] for node_id in arm]
    had = {node_id: Previous(given[node_id].version, given[node_id].variant) for node_id in challengers}
    return Cast(members, had, left_out)


def reached(tx: ControlTransaction, request: ExperimentRequest) -> Sequence[NodeRow]:
    """Return the nodes in service that a request means, by name. Raises: NotFound: there is no such group."""
    found = rollout_planning.targets(tx, Terms(group=request.to.removeprefix(GROUP), selector=request.select))
    return tx.nodes_of([node.node_id for node in found])


def give(tx: ControlTransaction, desired: Desired, experiment: Experiment) -> list[str]:
    """Give each challenger's nodes its version; return those whose wish changed."""
    policy, touched = experiment_request.policy_of(experiment.request), list[str]()
    for arm in experiment.challengers:
        releases = tx.releases(experiment.request.model, arm.version)
        for node_id in arm.node_ids:
            node = tx.node(node_id)
            release = choose_release(releases, node) if node else None
            assert node is not None, "the nodes were read in this transaction"
            assert release is not None, "who fits no variant was left out in this transaction"
            row = assignment_row(node, release, rollout_id=experiment.experiment_id, policy=policy)
            touched += [node_id] if desired.assign(tx, row) else []
    return touched


def give_back(tx: ControlTransaction, desired: Desired, experiment: Experiment) -> list[str]:
    """Give each challenger's nodes what they had; return those whose wish changed.

    A node that is away takes it when it returns. What a node was given by something else since stays.
    """
    touched = []
    for node_id, had in experiment.previous.items():
        node = tx.node(node_id)
        wish = next(iter(tx.assignments(node_id=node_id, model=experiment.request.model)), None)
        if node is None or wish is None or wish.rollout_id != experiment.experiment_id:
            continue
        releases = tx.releases(experiment.request.model, had.version)
        release = next((row for row in releases if row.variant == had.variant), None)
        assert release is not None, "what a node had was released, and releases stay"
        # Going back is no trial: the control is what these nodes served before.
        row = assignment_row(node, release, rollout_id=experiment.experiment_id, policy=rollout_request.RESTORE_POLICY)
        touched += [node_id] if desired.assign(tx, row) else []
    return touched


def _released(tx: ControlTransaction, model: str, version: str) -> Sequence[ReleaseRow]:
    releases = tx.releases(model, version)
    if not releases:
        raise NotFound(f"{model}:{version} was not released")
    return releases


def _why_not(
    node: NodeRow,
    request: ExperimentRequest,
    wish: AssignmentRow | None,
    offers: dict[str, Sequence[ReleaseRow]],
    incarnation: str,
) -> str:
    """Return why a node takes no part. It must not depend on its arm, or the arms could not be compared."""
    if wish is None:
        return f"it was given no version of {request.model}"
    if wish.version != request.control:
        return f"it was given {wish.version}, not the control"
    report = report_of(node)
    if report is None:
        return "it was never heard of"
    committed = next((each.committed for each in report.models if each.model == request.model), "")
    if is_current(report, node, incarnation) and committed != request.control:
        return f"it serves {committed or 'nothing'}, not the control"
    misfits = [version for version, releases in offers.items() if choose_release(releases, node) is None]
    return f"no variant of {', '.join(misfits)} fits it" if misfits else ""


def check_can_start(tx: ControlTransaction, experiment: Experiment) -> None:
    """Raises: Conflict: a rollout of the model is open."""
    model = experiment.request.model
    for other in rollout_rows.open_of(tx, model):
        raise Conflict(
            f"the rollout {other.rollout_id} of {model}:{other.version} is still {other.state.value}; end it first"
        )
