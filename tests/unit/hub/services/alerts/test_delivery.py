"""Messages on their way: at least once, in order, and never for ever."""

from contextlib import suppress
from itertools import pairwise

import pytest

from ganglion.core.errors import DiskUnusable, InvalidRequest
from ganglion.hub.services.alerts.delivery import AlertDelivery
from ganglion.trust import notification
from unit.hub.services.watching import PATIENCE, SECRET, WatchedFleet, bodies


class Killed(BaseException):
    """The hub ends here."""


@pytest.fixture
def fleet() -> WatchedFleet:
    made = WatchedFleet()
    made.clock.advance(86_400.0)
    made.join("far", seen_s_ago=3600.0)
    return made


def fire(fleet: WatchedFleet, *names: str, severity: str = "critical") -> None:
    for name in names:
        fleet.watch(name, severity=severity)
        fleet.look()


def test_what_was_taken_is_not_sent_again(fleet: WatchedFleet) -> None:
    fire(fleet, "silent")

    fleet.deliver()
    fleet.deliver()

    assert (fleet.chat.asked, fleet.pager.asked, fleet.waiting) == (1, 1, 0)


def test_a_message_is_signed_over_its_time_and_its_bytes(fleet: WatchedFleet) -> None:
    fire(fleet, "silent")
    fleet.deliver()

    ((body, headers),) = fleet.chat.taken

    stamp = headers[notification.TIME_HEADER]
    assert abs(int(stamp) - fleet.now_s) <= 1.0
    assert headers[notification.SIGNATURE_HEADER] == f"v1={notification.signature(SECRET, stamp, body)}"
    assert headers[notification.ID_HEADER] == bodies(fleet.chat)[0]["id"]


def test_what_is_not_taken_is_tried_again_with_the_same_id_after_growing_pauses(fleet: WatchedFleet) -> None:
    fire(fleet, "silent", severity="warning")
    fleet.chat.trouble = "answered 500"
    tried = list[float]()
    while len(tried) < 5:
        asked = fleet.chat.asked
        fleet.deliver()
        tried += [fleet.now_s] if fleet.chat.asked > asked else []
        fleet.clock.advance(1.0)
    fleet.chat.trouble = ""
    fleet.clock.advance(PATIENCE.pause_s_max)

    pauses = [after - before for before, after in pairwise(tried)]
    assert all(5.0 <= pause <= 10.0 * 2**number + 1.0 for number, pause in enumerate(pauses))
    assert fleet.told() == [("firing", "silent")]


def test_a_hub_that_ends_while_a_message_is_taken_sends_it_again(fleet: WatchedFleet) -> None:
    fire(fleet, "silent", severity="warning")

    def die() -> None:
        fleet.chat.on_send = None
        raise Killed

    fleet.chat.on_send = die
    with pytest.raises(Killed):
        fleet.delivery.step()
    fleet.begin_anew()
    fleet.deliver()

    first, second = bodies(fleet.chat)
    assert first["id"] == second["id"]
    assert fleet.waiting == 0


def test_a_target_that_does_not_answer_holds_up_no_other_and_keeps_its_order(fleet: WatchedFleet) -> None:
    fleet.chat.trouble = "does not answer"
    fire(fleet, "one", "two", "three")

    fleet.deliver()
    asked = fleet.chat.asked
    told = [name for _, name in fleet.told(fleet.pager)]
    fleet.chat.trouble = ""
    fleet.clock.advance(PATIENCE.pause_s_max)

    # The first of its messages is tried, and the rest wait behind it.
    assert asked == 1
    assert told == ["one", "two", "three"]
    assert [name for _, name in fleet.told()] == ["one", "two", "three"]


def test_a_message_that_nobody_takes_is_given_up(fleet: WatchedFleet) -> None:
    fire(fleet, "silent", severity="warning")
    fleet.chat.trouble = "answered 404"
    for _ in range(20):
        fleet.deliver()
        fleet.clock.advance(PATIENCE.pause_s_max)

    (target, _) = fleet.delivery.targets()
    assert (fleet.waiting, target.dropped, target.delivered) == (0, 1, 0)
    assert 5 < fleet.chat.asked < 20


def test_messages_to_a_target_that_the_settings_name_no_more_go(fleet: WatchedFleet) -> None:
    fire(fleet, "silent")
    alone = AlertDelivery(control=fleet.control, clock=fleet.clock, chance=fleet.chance, targets={}, patience=PATIENCE)

    while alone.step():
        pass

    assert fleet.waiting == 0


def test_how_it_goes_is_shown_without_secrets(fleet: WatchedFleet) -> None:
    fire(fleet, "silent")
    fleet.chat.trouble = "memory answered 500"
    fleet.deliver()

    chat, pager = fleet.delivery.targets()

    assert (chat.name, chat.host, chat.waiting, chat.attempts, chat.trouble) == (
        "chat",
        "memory",
        1,
        1,
        "memory answered 500",
    )
    assert (pager.waiting, pager.delivered, pager.severity_min) == (0, 1, "critical")
    assert SECRET not in repr((chat, pager))


def test_a_test_message_goes_to_everybody_at_once_and_tells_what_came_of_it(fleet: WatchedFleet) -> None:
    fleet.watch("silent", severity="info")
    fleet.pager.trouble = "answered 302"

    outcomes = fleet.delivery.test("silent", fleet.alerts.spec("silent"))

    assert [(each.target, each.is_delivered, each.trouble) for each in outcomes] == [
        ("chat", True, ""),
        ("pager", False, "answered 302"),
    ]
    assert (fleet.told(), fleet.waiting) == ([("test", "silent")], 0)


def test_without_targets_there_is_nothing_to_try(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    alone = AlertDelivery(control=fleet.control, clock=fleet.clock, chance=fleet.chance, targets={}, patience=PATIENCE)

    with pytest.raises(InvalidRequest, match=r"hub\.alerts\.targets"):
        alone.test("silent", fleet.alerts.spec("silent"))


def test_a_clock_that_was_put_back_does_not_hold_messages_for_years(fleet: WatchedFleet) -> None:
    fire(fleet, "silent", severity="warning")
    fleet.clock.jump(-40_000.0)

    assert fleet.told() == [("firing", "silent")]


def test_while_nothing_can_be_stored_nobody_is_told_again_and_again(fleet: WatchedFleet) -> None:
    fire(fleet, "silent")
    fleet.chat.trouble = "answered 500"
    fleet.control.disk_full = True
    for _ in range(6):
        with suppress(DiskUnusable):
            fleet.delivery.step()

    asked = (fleet.chat.asked, fleet.pager.asked)
    fleet.control.disk_full = False
    fleet.chat.trouble = ""
    fleet.clock.advance(PATIENCE.pause_s_max)

    assert asked == (1, 1)
    assert (fleet.told(), fleet.told(fleet.pager)) == ([("firing", "silent")], [("firing", "silent")])
    assert (fleet.chat.asked, fleet.pager.asked, fleet.waiting) == (2, 1, 0)
