"""Attacks 16 to 18: a wrong clock, lost power or a full disk lets a node install nothing that it should not."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attacks.hostile_hub import CONTENT, DAY_S, TODAY_NS, Hub, Node, hostile_hub
from ganglion.adapters.files import DirectoryFiles
from ganglion.core.errors import DiskUnusable, GanglionError, HubUnreachable
from ganglion.core.trust_errors import ClockWrong
from ganglion.node.domain.update.table import UpdateEffect
from ganglion.wire.desired import NodeReport
from ganglion.wire.identity import NodeFacts
from unit.node.builders import a_desired, an_assignment
from unit.node.update_bench import serving_version_1

ROLES = ("root", "timestamp", "snapshot", "targets", "model-m1")
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=2, memory_bytes=1, release="1")
REPORT = NodeReport(incarnation="", revision=-1, models=(), facts=FACTS, epoch="e", made=0, waiting=0)


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Let the system refuse to make any file larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("jump_s", [-TODAY_NS / 1e9, 730 * DAY_S], ids=["1970", "two years ahead"])
def test_attack_16_a_wrong_clock_blocks_updates_and_says_so(hub: Hub, node: Node, jump_s: float) -> None:
    assignment = hub.release()
    node.clock.jump(jump_s)

    with pytest.raises(ClockWrong, match=r"days (behind|ahead)"):
        node.check(assignment)

    node.clock.jump(-jump_s)
    assert node.take(assignment) == CONTENT


def test_attack_16_a_clock_that_is_a_month_behind_the_hub_is_found_out_at_the_first_look(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.clock.jump(-30 * DAY_S)

    with pytest.raises(ClockWrong, match="30 days behind"):
        node.check(assignment)


def test_attack_16_a_clock_that_was_set_back_does_not_make_old_metadata_fresh(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.check(assignment)
    hub.clock.advance(30 * DAY_S)
    node.clock.advance(30 * DAY_S)
    hub.repository.refresh_timestamp()
    node.check(assignment)
    stale = hub.repository.metadata("timestamp.json")

    node.clock.jump(-20 * DAY_S)
    node.start()
    hub.clock_ahead_s = -20 * DAY_S
    hub.tampered["timestamp.json"] = stale

    with pytest.raises(ClockWrong, match="20 days behind"):
        node.check(assignment)


def test_attack_16_a_clock_that_was_some_days_ahead_and_is_set_right_blocks_nothing(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.clock.jump(5 * DAY_S)
    node.check(assignment)

    node.clock.jump(-5 * DAY_S)
    node.start()

    assert node.take(assignment) == CONTENT


def test_attack_16_a_node_whose_clock_is_two_years_ahead_of_the_certificate_still_reports(tmp_path: Path) -> None:
    with hostile_hub(tmp_path / "tls", tls_age_s=730 * DAY_S) as hub:
        node = Node(hub, tmp_path / "node")

        node.link.report(REPORT)

        assert hub.reports == 1


def test_attack_16_another_authority_is_refused_whatever_the_dates(hub: Hub, tmp_path: Path) -> None:
    with hostile_hub(tmp_path / "other", tls_age_s=730 * DAY_S) as other:
        node = Node(hub, tmp_path / "node")
        hub.url = other.url
        node.start()

        with pytest.raises(GanglionError) as refusal:
            node.link.report(REPORT)

        assert refusal.value.code == "ca_mismatch"


class PowerFails(DirectoryFiles):
    """A disk that takes some writes more, and then no more."""

    def __init__(self, root: Path, writes: int) -> None:
        super().__init__(root)
        self.writes = writes

    def write(self, name: str, data: bytes) -> None:
        if self.writes == 0:
            raise DiskUnusable("the power went")
        self.writes -= 1
        super().write(name, data)


@pytest.mark.parametrize("writes", range(6))
def test_attack_17_power_lost_at_any_write_of_metadata_is_made_good(hub: Hub, node: Node, writes: int) -> None:
    assignment = hub.release()
    node.start(files=PowerFails(node.metadata, writes))

    with pytest.raises(DiskUnusable):
        node.check(assignment)
    node.start()

    assert node.take(assignment) == CONTENT


@pytest.mark.parametrize(
    "name", ["root.json", "timestamp.json", "snapshot.json", "targets.json", "model-m1.json", "newest-time"]
)
@pytest.mark.parametrize("kept", [0.0, 0.5], ids=["empty", "torn"])
def test_attack_17_a_torn_file_of_metadata_is_fetched_again(hub: Hub, node: Node, name: str, kept: float) -> None:
    assignment = hub.release()
    node.check(assignment)
    file = node.metadata / name
    whole = file.read_bytes()

    file.write_bytes(whole[: int(len(whole) * kept)])
    node.start()

    node.check(assignment)
    assert file.read_bytes() == whole


@pytest.mark.parametrize("tail", [b"", bytes(4096)], ids=["cut", "zeros"])
def test_attack_17_a_part_that_lost_its_last_write_is_completed_or_brought_anew(
    hub: Hub, node: Node, tail: bytes
) -> None:
    assignment = hub.release()
    node.check(assignment)
    node.part.write_bytes(CONTENT[:20_000] + tail)

    for _ in range(2):
        try:
            node.bring(assignment)
        except HubUnreachable:
            continue

    assert node.package.read_bytes() == CONTENT


def test_attack_18_a_disk_that_is_full_in_the_middle_of_a_download_is_freed(hub: Hub, node: Node) -> None:
    assignment = hub.release()
    node.check(assignment)

    with files_of_at_most(50_000), pytest.raises(DiskUnusable):
        node.bring(assignment)

    assert list(node.downloads.iterdir()) == []
    assert node.bring(assignment) == CONTENT


def test_attack_18_a_full_disk_leaves_the_running_model_alone(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.DOWNLOAD] = DiskUnusable("no space left on device")

    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    assert bench.model.failed_reason.startswith("disk_unusable")
