"""What people are told, and when it is tried again."""

import json

import pytest

from ganglion.hub.domain.alerts import messages as alert_messages
from ganglion.hub.domain.alerts.messages import Patience
from ganglion.hub.domain.alerts.table import AlertPhase, Followed
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.wire.alert_resources import AlertCondition, Severity

SPEC = AlertSpec(condition=AlertCondition.NODE_SILENT, severity=Severity.CRITICAL, limit=60.0)
PATIENCE = Patience(first_s=10.0, pause_s_max=100.0)


def followed(text: str = "gone") -> Followed:
    return Followed(phase=AlertPhase.FIRING, since_s=0.0, value=2.0, text=text)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ("firing", "silent (critical): a: gone; b: gone; c: gone; and 1 more"),
        ("resolved", "silent is over: a, b, c and 1 more"),
        ("test", "silent: a test, nothing has happened"),
    ],
)
def test_a_message_says_all_in_one_line(event: str, text: str) -> None:
    subjects = {} if event == "test" else dict.fromkeys("abcd", followed())

    told = alert_messages.compose("m1", event, "silent", SPEC, subjects=subjects, now_s=0.0)

    assert told.text == text


def test_a_body_is_json_and_bounded() -> None:
    subjects = {f"gate-{number:05}": followed("x" * 300) for number in range(10_000)}
    told = alert_messages.compose("m1", "firing", "silent", SPEC, subjects=subjects, now_s=1.7e9)

    body = alert_messages.body(told)

    read = json.loads(body)
    assert (read["count"], len(read["subjects"])) == (10_000, alert_messages.SUBJECTS_SENT_MAX)
    assert (read["at"], read["severity"], read["unit"], read["limit"]) == (
        "2023-11-14T22:13:20+00:00",
        "critical",
        "s",
        60.0,
    )
    assert len(body) < 20_000


def test_who_wants_what_is_bad_hears_what_is_worse() -> None:
    heard = [each for each in Severity if alert_messages.reaches(each, Severity.WARNING)]

    assert heard == [Severity.WARNING, Severity.CRITICAL]


def test_pauses_grow_to_their_limit_and_spread() -> None:
    pauses = [alert_messages.pause_s(PATIENCE, attempts, 0.0) for attempts in (1, 2, 3, 9, 10_000)]

    assert pauses == [5.0, 10.0, 20.0, 50.0, 50.0]
    assert alert_messages.pause_s(PATIENCE, 1, 0.999) < 10.0


def test_a_clock_that_was_put_back_makes_nobody_wait_for_years() -> None:
    assert alert_messages.due_s(PATIENCE, due_at_s=1e9, now_s=0.0) == 0.0
    assert alert_messages.due_s(PATIENCE, due_at_s=60.0, now_s=0.0) == 60.0
    assert alert_messages.due_s(PATIENCE, due_at_s=0.0, now_s=60.0) == 0.0
