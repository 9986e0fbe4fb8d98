"""What a node should serve, and how it learns of a change."""

import msgspec
import pytest

from ganglion.core.errors import NotFound
from ganglion.hub.services.nodes.desired import Desired, FleetDefault, assignment_row
from ganglion.ports.hub_store import AssignmentRow, NodeRow
from ganglion.testing.fleet_world import FACTS, MODEL, FleetWorld
from ganglion.trust import assignment as assignments
from ganglion.trust.assignment import AssignmentStatement, SignedAssignment
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.identity import NodeFacts

POLICY = DeploymentPolicy(probation_s=7.0)


@pytest.fixture
def world() -> FleetWorld:
    world = FleetWorld()
    world.join("n1")
    world.release("1")
    world.release("2")
    return world


def row_for(world: FleetWorld, version: str, *, name: str = "n1") -> AssignmentRow:
    with world.control.read() as tx:
        node = tx.node_by_name(name)
        assert isinstance(node, NodeRow)
        return assignment_row(node, tx.releases(MODEL, version)[0], rollout_id="r1", policy=POLICY)


def assign(world: FleetWorld, version: str) -> bool:
    row = row_for(world, version)
    with world.control.write() as tx:
        return world.desired.assign(tx, row)


def make_default(world: FleetWorld, version: str) -> None:
    with world.control.write() as tx:
        world.desired.set_default(tx, MODEL, FleetDefault(version, "r0", POLICY))


def test_the_state_says_all_that_a_node_needs_to_fetch_and_judge_a_version(world: FleetWorld) -> None:
    assign(world, "1")

    state = world.desired.state_of("id-n1")

    (assignment,) = state.assignments
    assert (assignment.model, assignment.version, assignment.variant) == ("meter", "1", "fp32")
    assert assignment.target_path == "models/meter/1/fp32.ganglion"
    assert (assignment.size_bytes, assignment.arch, assignment.runtime) == (1000, "any", "onnxruntime")
    assert len(assignment.sha256) == 64
    assert (assignment.rollout_id, assignment.policy) == ("r1", POLICY)


def test_whoever_only_asks_for_the_revision_has_nothing_signed(world: FleetWorld) -> None:
    signed: list[AssignmentStatement] = []
    desired = Desired(
        control=world.control, repository_root_version=lambda: 1, changed=lambda _: None, sign=signed.append
    )
    assign(world, "1")

    newest = desired.revision_of("id-n1")

    state = world.desired.state_of("id-n1")
    assert (newest, signed) == ((state.incarnation, state.revision), [])
    with pytest.raises(NotFound):
        desired.revision_of("id-nobody")


def test_the_state_names_the_hubs_life_and_the_oldest_root_that_will_do(world: FleetWorld) -> None:
    desired = Desired(
        control=world.control,
        repository_root_version=lambda: 4,
        changed=lambda _: None,
    )

    state = desired.state_of("id-n1")

    assert state.incarnation
    assert state.root_version_min == 4


def test_an_unknown_node_has_no_state(world: FleetWorld) -> None:
    with pytest.raises(NotFound):
        world.desired.state_of("nobody")


def test_every_change_makes_a_newer_revision(world: FleetWorld) -> None:
    revisions = [world.desired.state_of("id-n1").revision]
    for version in ("1", "2"):
        assign(world, version)
        revisions.append(world.desired.state_of("id-n1").revision)
    with world.control.write() as tx:
        world.desired.withdraw(tx, "id-n1", MODEL)
    revisions.append(world.desired.state_of("id-n1").revision)

    assert revisions == sorted(set(revisions))
    assert world.desired.state_of("id-n1").assignments == ()


def test_wanting_the_same_again_changes_nothing(world: FleetWorld) -> None:
    assign(world, "1")
    revision = world.desired.state_of("id-n1").revision

    assert not assign(world, "1")
    with world.control.write() as tx:
        assert not world.desired.withdraw(tx, "id-n1", "another-model")
    assert world.desired.state_of("id-n1").revision == revision


def adopt(world: FleetWorld, node_id: str) -> bool:
    with world.control.write() as tx:
        return world.desired.adopt(tx, node_id)


def test_a_node_adopts_the_fleets_version_once(world: FleetWorld) -> None:
    make_default(world, "2")

    assert adopt(world, "id-n1")
    assert not adopt(world, "id-n1")

    assert [row.version for row in world.desired.state_of("id-n1").assignments] == ["2"]


def test_a_node_that_was_given_a_version_keeps_it(world: FleetWorld) -> None:
    assign(world, "1")
    make_default(world, "2")

    adopt(world, "id-n1")

    assert [row.version for row in world.desired.state_of("id-n1").assignments] == ["1"]


def test_a_node_that_fits_no_variant_of_the_default_is_given_none(world: FleetWorld) -> None:
    world.release("3", arch="aarch64")
    make_default(world, "3")

    adopt(world, "id-n1")

    assert world.desired.state_of("id-n1").assignments == ()


def test_a_node_gets_the_variant_for_its_own_machine(world: FleetWorld) -> None:
    world.release("3", arch="aarch64", variant="arm")
    world.release("3", arch="x86_64", variant="intel")
    board = NodeFacts(arch="aarch64", runtime="onnxruntime", cores=2, memory_bytes=1, release="0.1.0")
    world.join("n2", facts=board)
    make_default(world, "3")

    for node_id in ("id-n1", "id-n2"):
        adopt(world, node_id)

    variants = [world.desired.state_of(node_id).assignments[0].variant for node_id in ("id-n1", "id-n2")]
    assert variants == ["intel", "arm"]
    assert FACTS.arch == "x86_64"


def test_nobody_is_woken_when_nothing_changed(world: FleetWorld) -> None:
    world.desired.announce([])

    assert world.woken == []


KEY = bytes(range(32))


def signing_desired(world: FleetWorld) -> Desired:
    def sign(statement: AssignmentStatement) -> SignedAssignment:
        return assignments.sign(KEY, statement)

    return Desired(control=world.control, repository_root_version=lambda: 1, changed=world.woken.extend, sign=sign)


def test_each_assignment_says_under_the_hubs_key_what_this_node_should_do_and_when_it_was_said(
    world: FleetWorld,
) -> None:
    assign(world, "1")

    state = signing_desired(world).state_of("id-n1")

    (told,) = state.assignments
    said = msgspec.json.decode(told.statement, type=AssignmentStatement)
    assert told.statement_key == assignments.public_key_of(KEY)
    assert (said.node_id, said.incarnation, said.revision) == ("id-n1", state.incarnation, state.revision)
    assert (said.target_path, said.sha256, said.size_bytes) == (told.target_path, told.sha256, told.size_bytes)
    assert said.rollout_id == told.rollout_id
    assert msgspec.json.decode(said.policy, type=DeploymentPolicy) == POLICY


def test_a_hub_without_such_a_key_signs_nothing(world: FleetWorld) -> None:
    assign(world, "1")

    (told,) = world.desired.state_of("id-n1").assignments

    assert (told.statement, told.statement_key, told.statement_signature) == (b"", "", b"")


def test_other_keys_make_every_desired_state_with_an_assignment_news_once(world: FleetWorld) -> None:
    world.join("n2")
    assign(world, "1")
    world.desired.sign_again(["one"])
    before = [world.desired.state_of(node).revision for node in ("id-n1", "id-n2")]

    world.desired.sign_again(["one"])
    same = [world.desired.state_of(node).revision for node in ("id-n1", "id-n2")]
    world.woken.clear()
    world.desired.sign_again(["two"])
    after = [world.desired.state_of(node).revision for node in ("id-n1", "id-n2")]

    assert same == before
    assert after[0] > before[0]
    assert after[1] == before[1]
    assert world.woken == ["id-n1"]
