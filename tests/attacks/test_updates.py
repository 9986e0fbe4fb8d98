"""Attacks 1 to 15: whatever the way between hub and node does, only what was signed, for now, is installed."""

from collections.abc import Callable
from io import BufferedIOBase
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Key, Targets

from attacks.hostile_hub import CONTENT, DAY_S, Hub, Node, digest_of
from ganglion.adapters.https_link import LinkSettings
from ganglion.core.errors import HubUnreachable, InvalidName
from ganglion.core.trust_errors import ArtifactUntrusted, MetadataStale
from ganglion.node.domain.update.table import UpdateEffect
from ganglion.testing.clock import FakeClock
from ganglion.trust import edition, repository, target_path
from ganglion.trust.repository import Package
from ganglion.wire.desired import Assignment
from unit.node.builders import a_desired, an_assignment
from unit.node.update_bench import serving_version_1

CUT_BYTES = 3_000_000


def cut_after(size_bytes: int) -> Callable[[BufferedIOBase, bytes], object]:
    return lambda out, body: out.write(body[:size_bytes])


def one_byte_each(pause_s: float, clock: FakeClock) -> Callable[[BufferedIOBase, bytes], object]:
    def send(out: BufferedIOBase, body: bytes) -> None:
        for index in range(len(body)):
            clock.advance(pause_s)
            out.write(body[index : index + 1])

    return send


def endless(out: BufferedIOBase, body: bytes) -> None:
    """Send until the other side has had enough."""
    out.write(body)
    while True:
        out.write(bytes(65_536))


def name_of(assignment: Assignment) -> str:
    return f"{assignment.sha256}.fp32.ganglion"


def sign_role(hub: Hub, role: str, target: Package) -> None:
    """Publish the second version of a model's role, which lists `target` alone."""
    now, signing = edition.load(hub.files.read), hub.signing()
    listed = Targets(
        version=2, expires=signing.expiry(Targets), targets={str(target.path): repository.target_file(target)}
    )
    signed = signing.sign(role, listed, now.targets.signed)
    hub.put(repository.next_edition(now, {role: signed}, signing))


def test_attack_01_one_flipped_byte_of_the_same_length_is_never_installed(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    hub.packages[assignment.sha256] = CONTENT[:5000] + b"!" + CONTENT[5001:]

    with pytest.raises(ArtifactUntrusted):
        node.take(assignment)

    assert list(node.downloads.iterdir()) == []


def test_attack_02_an_older_timestamp_after_a_newer_one_is_refused(hub: Hub, node: Node) -> None:
    old = hub.repository.metadata("timestamp.json")
    assignment = hub.release()
    node.check(assignment)

    hub.tampered["timestamp.json"] = old
    node.start()

    with pytest.raises(ArtifactUntrusted, match="timestamp"):
        node.check(assignment)


def test_attack_03_a_new_timestamp_with_an_older_snapshot_is_refused(hub: Hub, node: Node) -> None:
    assignment = hub.release()

    hub.tampered["2.snapshot.json"] = hub.repository.metadata("1.snapshot.json")

    with pytest.raises(ArtifactUntrusted):
        node.check(assignment)


def test_attack_03_a_new_snapshot_with_an_older_model_role_is_refused(hub: Hub, node: Node) -> None:
    hub.release("1")
    assignment = hub.release("2")

    hub.tampered["2.model-m1.json"] = hub.repository.metadata("1.model-m1.json")

    with pytest.raises(ArtifactUntrusted):
        node.check(assignment)


def test_attack_04_an_expired_timestamp_installs_nothing(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.clock.advance(8 * DAY_S)
    hub.clock.advance(8 * DAY_S)

    with pytest.raises(MetadataStale, match="timestamp"):
        node.check(assignment)


def test_attack_04_with_an_expired_timestamp_serving_goes_on_after_a_restart(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.TRUST] = MetadataStale("timestamp 7 expired")
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    bench.serving.die()
    bench.restart_and_step()

    assert bench.serving.active == {"meter": "1"}
    assert bench.model.update is not None, "the update waits for fresh metadata"


def test_attack_05_a_node_that_was_away_for_72_hours_resumes_by_itself(hub: Hub, node: Node) -> None:
    node.check(hub.release("1"))

    for _ in range(3):
        hub.clock.advance(DAY_S)
        node.clock.advance(DAY_S)
        hub.repository.refresh_timestamp()

    assert node.take(hub.release("2", content=CONTENT + b"2")) == CONTENT + b"2"


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "1.model-m1.json", "2.root.json"])
def test_attack_06_endless_metadata_is_stopped_at_its_limit(hub: Hub, node: Node, name: str) -> None:
    assignment = hub.release()
    if name == "2.root.json":
        hub.tampered[name] = b"{"
    hub.send[name] = endless
    hub.without_length.add(name)

    with pytest.raises(ArtifactUntrusted, match="larger than"):
        node.check(assignment)


def test_attack_06_an_endless_artifact_is_stopped_at_the_signed_length(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    hub.send[name_of(assignment)] = endless
    hub.without_length.add(name_of(assignment))

    with pytest.raises(ArtifactUntrusted, match="more bytes"):
        node.take(assignment)

    assert list(node.downloads.iterdir()) == []


def test_attack_07_metadata_of_one_byte_each_300_ms_is_abandoned_at_the_deadline(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    hub.send["timestamp.json"] = one_byte_each(0.3, node.clock)

    with pytest.raises(HubUnreachable, match="in the time that was granted"):
        node.check(assignment)


def test_attack_07_an_artifact_of_one_byte_each_300_ms_is_left_for_later(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.check(assignment)
    hub.send[name_of(assignment)] = one_byte_each(0.3, node.clock)

    with pytest.raises(HubUnreachable, match="too slow"):
        node.bring(assignment)

    del hub.send[name_of(assignment)]
    assert node.bring(assignment) == CONTENT


def test_attack_07_the_head_of_a_reply_is_not_waited_for_for_ever(hub: Hub, tmp_path: Path) -> None:
    node = Node(hub, tmp_path / "node", clock=hub.clock)
    node.check(assignment := hub.release())
    hub.head_pause_s = 5.0

    with pytest.raises(HubUnreachable, match="did not come in time"):
        node.check(assignment)


def test_attack_08_a_link_that_is_cut_every_3_mb_resumes_where_it_was(hub: Hub, tmp_path: Path) -> None:
    content = bytes(range(251)) * 40_000
    assignment = hub.release(content=content)
    node = Node(hub, tmp_path / "node", settings=LinkSettings())
    hub.send[name_of(assignment)] = cut_after(CUT_BYTES)
    node.check(assignment)

    for _ in range(3):
        with pytest.raises(HubUnreachable):
            node.bring(assignment)

    assert node.bring(assignment) == content
    ranges = [asked for path, asked in hub.asked if path.endswith(".ganglion")]
    assert ranges == ["", *(f"bytes={CUT_BYTES * times}-" for times in (1, 2, 3))]


def test_attack_09_a_part_with_another_offset_is_not_appended(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.part.write_bytes(CONTENT[:1000])
    hub.lie_by = 500

    with pytest.raises(HubUnreachable, match="from 1500"):
        node.take(assignment)

    assert node.part.read_bytes() == CONTENT[:1000]


def test_attack_10_a_poisoned_part_is_thrown_away_and_the_next_attempt_works(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.part.write_bytes(b"poison" * 100)

    with pytest.raises(HubUnreachable, match="anew"):
        node.take(assignment)

    assert node.take(assignment) == CONTENT
    assert list(node.downloads.iterdir()) == [node.package]


def test_attack_11_the_key_of_m2_signs_nothing_for_m1(hub: Hub, node: Node) -> None:
    hub.release("1", model="m1")
    hub.release("1", model="m2")
    stolen = Package(path=target_path.parse("models/m1/2/fp32.ganglion"), sha256=digest_of(b"evil"), size_bytes=4)

    sign_role(hub, "model-m2", stolen)

    with pytest.raises(ArtifactUntrusted, match="no role signs"):
        node.check(hub.assign(str(stolen.path), stolen.sha256, 4))


@pytest.mark.parametrize(
    "path", ["models/m1/v1/..", "models/m1/\0/fp32.ganglion", "models/m1\\1\\2", "models/m1/%2e/fp32.ganglion"]
)
def test_attack_12_a_target_that_leaves_its_place_is_refused_by_its_name(hub: Hub, node: Node, path: str) -> None:
    honest = hub.release()
    evil = msgspec.structs.replace(honest, target_path=path)

    with pytest.raises(InvalidName):
        node.check(evil)
    with pytest.raises(InvalidName):
        node.bring(evil)


def test_attack_13_a_package_that_only_a_revoked_key_signs_is_refused(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.check(assignment)
    now, signing = edition.load(hub.files.read), hub.signing()
    targets = Targets.from_dict(now.targets.signed.to_dict())
    replaced = signing.public_key("model-m1-2")
    targets.revoke_key(signing.public_key("model-m1").keyid, "model-m1")
    targets.add_key(Key.from_dict(replaced.keyid, replaced.to_dict()), "model-m1")
    targets.version += 1

    hub.put(repository.next_edition(now, {"targets": signing.sign("targets", targets, now.root.signed)}, signing))

    with pytest.raises(ArtifactUntrusted):
        node.check(assignment)


def test_attack_14_a_mirror_that_hides_the_next_root_is_found_out(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    honest = hub.repository.metadata("timestamp.json")
    hub.repository.recover()
    newest = hub.repository.root_version()

    hub.hidden.add(f"{newest}.root.json")
    hub.tampered["timestamp.json"] = honest

    with pytest.raises(ArtifactUntrusted, match="the hub demands 2"):
        node.check(assignment, root_version_min=newest)


def test_attack_15_a_timestamp_of_version_2_31_is_recovered_from_by_other_keys(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    signing = hub.signing()
    now = edition.load(hub.files.read)
    honest = hub.repository.metadata("timestamp.json")
    signed = now.timestamp.signed
    signed.version = 2**31
    hub.tampered["timestamp.json"] = signing.sign("timestamp", signed, now.root.signed).to_bytes()
    node.check(assignment)
    hub.tampered["timestamp.json"] = honest
    node.start()
    with pytest.raises(ArtifactUntrusted, match="timestamp"):
        node.check(assignment)

    hub.tampered.clear()
    hub.repository.recover()

    assert node.take(assignment) == CONTENT
