import msgspec
import pytest

from ganglion.node.domain.sending.poll_time import PollTime
from ganglion.node.domain.sending.reporting import ReportSettings, is_due
from ganglion.wire.desired import ModelStatus, NodeReport
from ganglion.wire.identity import NodeFacts

SETTINGS = ReportSettings(report_s=60.0, heartbeat_s=600.0)
FACTS = NodeFacts("x86_64", "onnxruntime", 4, 8_000_000_000, "0.1.0")
REPORT = NodeReport("i", 3, (ModelStatus("m", "1", "1"),), FACTS, "epoch", made=10, waiting=0)


def changed(**fields: object) -> NodeReport:
    return msgspec.structs.replace(REPORT, **fields)


def test_the_first_report_is_due_at_once() -> None:
    assert is_due(SETTINGS, None, REPORT, age_s=0.0)


def test_a_node_on_which_nothing_changes_reports_seldom() -> None:
    assert not is_due(SETTINGS, REPORT, REPORT, age_s=599.0)
    assert is_due(SETTINGS, REPORT, REPORT, age_s=600.0)


@pytest.mark.parametrize(
    "now",
    [changed(revision=4), changed(epoch="another"), changed(models=(ModelStatus("m", "2", "1"),)), changed(models=())],
)
def test_what_matters_is_reported_at_once(now: NodeReport) -> None:
    assert is_due(SETTINGS, REPORT, now, age_s=0.0)


@pytest.mark.parametrize("now", [changed(made=11), changed(waiting=5), changed(shed={"sample": 1})])
def test_counts_are_reported_now_and_then(now: NodeReport) -> None:
    assert not is_due(SETTINGS, REPORT, now, age_s=59.0)
    assert is_due(SETTINGS, REPORT, now, age_s=60.0)


def test_figures_of_the_machine_are_no_reason_to_report() -> None:
    now = changed(machine={"cpu_share": 0.5}, sent_bytes={"result": 7})

    assert not is_due(SETTINGS, REPORT, now, age_s=599.0)


def test_the_wait_grows_while_the_line_keeps_quiet_connections_and_shrinks_when_it_does_not() -> None:
    time = PollTime.beginning(30.0, most_s=240.0)

    grown = [time := time.after_quiet() for _ in range(4)]
    shrunk = [time := time.after_break() for _ in range(4)]

    assert [each.wait_s for each in grown] == [60.0, 120.0, 240.0, 240.0]
    assert [each.wait_s for each in shrunk] == [120.0, 60.0, 30.0, 30.0]
