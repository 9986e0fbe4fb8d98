"""A flood of what a node refuses fills neither its disk nor its audit chain, and nothing of it goes uncounted."""

from ganglion.node.services.update.order_telling import REFUSED
from ganglion.node.services.update.refusals import RefusedOrders
from ganglion.wire.records import EventRecord


def refusals(number: int) -> list[EventRecord]:
    return [EventRecord(name=REFUSED, reason=f"order {each}") for each in range(number)]


def test_of_many_refused_commands_some_are_told_and_the_rest_is_counted() -> None:
    refused = RefusedOrders()

    told = refused.bounded(refusals(1000), now_s=0.0)
    later = refused.bounded(refusals(1), now_s=60.0)

    assert 30 <= len(told) <= 100
    assert later[0].facts == {"untold": str(1000 - len(told))}


def test_other_events_are_not_counted_with_refused_commands() -> None:
    refused = RefusedOrders()
    others = [EventRecord(name="update.offered")] * 1000

    assert refused.bounded(others, now_s=0.0) == others
