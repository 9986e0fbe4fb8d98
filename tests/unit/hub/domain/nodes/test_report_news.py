import msgspec
import pytest

from ganglion.hub.domain.nodes.report_news import is_progress
from ganglion.wire.desired import ModelStatus, NodeReport
from ganglion.wire.identity import NodeFacts

SERVING = ModelStatus("digits", "1", "1")


def updating(state: str, *, to: str = "2", reason: str = "") -> ModelStatus:
    return msgspec.structs.replace(SERVING, update_version=to, update_state=state, reason=reason)


def report_of(status: ModelStatus, *, made: int = 7, unwell: dict[str, str] | None = None) -> NodeReport:
    facts = NodeFacts("x86_64", "onnxruntime", 4, 8_000_000_000, "0.1.0")
    return NodeReport("i", 3, (status,), facts, epoch="e", made=made, waiting=made, unwell=unwell or {})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (updating("offered"), updating("downloading")),
        (updating("downloading"), updating("downloading", reason="hub_unreachable: away")),
        (updating("verified"), updating("probation")),
        (SERVING, SERVING),
    ],
)
def test_how_far_an_update_is_and_how_much_was_counted_is_progress(before: ModelStatus, after: ModelStatus) -> None:
    assert is_progress(report_of(before, made=7), report_of(after, made=9))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SERVING, updating("offered")),
        (updating("offered"), updating("offered", to="3")),
        (updating("probation"), ModelStatus("digits", "2", "2")),
        (updating("downloading"), msgspec.structs.replace(SERVING, reason="it was rolled back")),
        (SERVING, ModelStatus("digits", "", "1")),
    ],
)
def test_the_beginning_and_the_end_of_an_update_and_what_answers_are_news(
    before: ModelStatus, after: ModelStatus
) -> None:
    assert not is_progress(report_of(before), report_of(after))


def test_what_is_not_well_is_news() -> None:
    assert not is_progress(report_of(SERVING), report_of(SERVING, unwell={"clock": "bad: a day behind"}))
