"""What may be asked of logs: whatever a hub writes into an order, it is a question or is refused."""

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.diagnosis import questions

NOW_S = 1_790_000_000.0


@pytest.mark.parametrize(
    "argument",
    [
        "since=999999d",
        "since=0001-01-01T00:00+23:59",
        "until=9999-12-31T23:59-23:59",
        "since=soon",
        "since=2026-11-22T02:00",
        "lines=0",
        "lines=-1",
        "lines=\N{ARABIC-INDIC DIGIT THREE}",
        "lines=" + "9" * 5000,
        "level=all",
        "text=" + "x" * 121,
        "path=/etc/shadow",
        "",
    ],
)
def test_what_is_no_question_is_refused(argument: str) -> None:
    with pytest.raises(InvalidRequest):
        questions.from_arguments([argument], now_s=NOW_S)


def test_a_question_comes_over_an_order_as_it_was_asked() -> None:
    asked = questions.log_query(since="2h", until="1h", level="error", text="a=b", lines=7, now_s=NOW_S)

    assert questions.from_arguments(questions.as_arguments(asked), now_s=NOW_S) == asked
