"""A node acts on an assignment only when the hub has signed it for this node, this state and this policy."""

from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import TargetFile, Targets

from attacks.hostile_hub import CONTENT, Hub, Node, digest_of
from ganglion.core.trust_errors import ArtifactUntrusted, AssignmentOutdated
from ganglion.ports.hub_link import Vouched
from ganglion.trust import assignment as signed_assignments
from ganglion.trust import edition, repository
from ganglion.trust.assignment import AssignmentStatement
from ganglion.wire import codec
from ganglion.wire.desired import Assignment, DeploymentPolicy
from unit.node.builders import a_desired, an_assignment
from unit.node.update_bench import serving_version_1

PATH = "models/m1/2/fp32.ganglion"


def test_an_assignment_that_the_hub_has_signed_for_this_node_is_taken(hub: Hub, node: Node) -> None:
    assert node.take(hub.release()) == CONTENT


def test_the_assignment_of_another_node_is_refused(hub: Hub, node: Node) -> None:
    honest = hub.release()
    others = hub.assign(honest.target_path, honest.sha256, honest.size_bytes, node_id="node-2")

    with pytest.raises(ArtifactUntrusted, match="another node"):
        node.check(others)


def test_an_assignment_without_a_signature_is_refused_where_the_root_demands_one(hub: Hub, node: Node) -> None:
    bare = msgspec.structs.replace(hub.release(), statement=b"", statement_key="", statement_signature=b"")

    with pytest.raises(ArtifactUntrusted, match="not signed"):
        node.check(bare)


def test_an_assignment_that_somebody_else_signed_is_refused(hub: Hub, node: Node) -> None:
    honest = hub.release()
    forged = signed_assignments.sign(bytes(32), msgspec.json.decode(honest.statement, type=AssignmentStatement))

    with pytest.raises(AssignmentOutdated, match="does not name"):
        node.check(msgspec.structs.replace(honest, statement_key=forged.key_id, statement_signature=forged.signature))


def test_a_policy_that_was_loosened_on_the_way_is_refused(hub: Hub, node: Node) -> None:
    loosened = msgspec.structs.replace(hub.release(), policy=DeploymentPolicy(probation_s=0.0, inferences_min=0))

    with pytest.raises(ArtifactUntrusted, match="another policy"):
        node.check(loosened)


def statement_of(assignment: Assignment, *, revision: int) -> bytes:
    return msgspec.json.encode(
        AssignmentStatement(
            node_id="n",
            incarnation="hub-1",
            revision=revision,
            target_path=assignment.target_path,
            sha256=assignment.sha256,
            size_bytes=assignment.size_bytes,
            policy=msgspec.Raw(codec.encode_json(assignment.policy)),
        )
    )


@pytest.mark.parametrize("statement", [statement_of(an_assignment("2"), revision=3), b"{"])
def test_an_old_statement_in_a_new_state_begins_nothing(tmp_path: Path, statement: bytes) -> None:
    bench = serving_version_1(tmp_path)
    replayed = msgspec.structs.replace(an_assignment("2"), statement=statement)

    with pytest.raises(ArtifactUntrusted):
        bench.take(a_desired(9, replayed))

    assert bench.model.update is None
    assert bench.updates.state.desired is None


def test_a_statement_that_is_refused_is_reported_once_until_the_state_is_believed(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    replayed = msgspec.structs.replace(an_assignment("2"), statement=statement_of(an_assignment("2"), revision=3))

    for _ in range(3):
        with pytest.raises(ArtifactUntrusted):
            bench.take(a_desired(9, replayed))

    (told,) = bench.store.events
    assert (told.name, told.reason) == ("desired.refused", bench.updates.refused)
    assert "revision 9" in told.reason

    bench.take(a_desired(10))
    assert bench.updates.refused == ""


def test_what_the_models_role_signs_beside_the_bytes_reaches_the_node(hub: Hub, node: Node) -> None:
    path, digest = "models/m1/1/fp32.ganglion", digest_of(CONTENT)
    hub.repository.publish(path, digest, len(CONTENT), "m1", memory_bytes_max=5_000, offline_s_max=3_600)

    vouched = node.link.check_target(hub.assign(path, digest, len(CONTENT)), root_version_min=1)

    signer = hub.signing().public_key("model-m1").keyid
    assert vouched == Vouched(memory_bytes_max=5_000, offline_s_max=3_600, signers=(signer,))


@pytest.mark.parametrize("term_s", [-1, 2**70, "long", [], True])
def test_a_term_that_is_no_number_of_seconds_is_refused(hub: Hub, node: Node, term_s: object) -> None:
    hub.release("1")
    now, signing = edition.load(hub.files.read), hub.signing()
    digest = digest_of(CONTENT)
    entry = TargetFile(len(CONTENT), {"sha256": digest}, PATH, {"custom": {"offline_s_max": term_s}})
    listed = Targets(version=2, expires=signing.expiry(Targets), targets={PATH: entry})
    signed = signing.sign("model-m1", listed, now.targets.signed)
    hub.put(repository.next_edition(now, {"model-m1": signed}, signing))

    with pytest.raises(ArtifactUntrusted, match="cannot be read"):
        node.check(hub.assign(PATH, digest, len(CONTENT)))
