"""From facts to what is true of whom."""

from typing import Any

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.alerts import alerting
from ganglion.hub.domain.alerts.alerting import CountFact, NodeFact, NodeTally, Watch
from ganglion.hub.domain.alerts.conditions import checked
from ganglion.hub.domain.alerts.table import SUBJECTS_MAX
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.wire.alert_resources import AlertCondition

_C = AlertCondition


def watch(condition: AlertCondition, *followed: str, **fields: Any) -> Watch:
    return Watch(checked(AlertSpec(condition=condition, **fields)), frozenset(followed))


def found(seen: Watch, *facts: NodeFact) -> dict[str, str]:
    """Return what is said of each subject."""
    tally = NodeTally(seen)
    for fact in facts:
        tally.add(fact)
    return {name: finding.text for name, finding in tally.places().found.items()}


def node(name: str = "gate-1", *, site: str = "porto", **facts: Any) -> NodeFact:
    return NodeFact(name=name, site=site, **facts)


@pytest.mark.parametrize(
    ("condition", "fields", "bad", "good", "text"),
    [
        (_C.NODE_SILENT, {}, {"silent_s": 601.0}, {"silent_s": 600.0}, "not heard of for 10 min"),
        (_C.NODE_QUARANTINED, {}, {"is_quarantined": True}, {}, "in quarantine"),
        (_C.NODE_UNWELL, {}, {"unwell": {"clock": "bad: 2 h"}}, {"unwell": {"clock": "warn: 31 s"}}, "clock: bad: 2 h"),
        (
            _C.NODE_UNWELL,
            {"limit": 0.0, "check": "clock"},
            {"unwell": {"clock": "warn: 31 s"}},
            {"unwell": {"disk": "bad: full"}},
            "clock: warn: 31 s",
        ),
        (_C.DISK_LOW, {}, {"disk_free_bytes": 5e8}, {"disk_free_bytes": None}, "0.50 GB free on the disk"),
        (_C.RECORDS_WAITING, {"limit": 10.0}, {"waiting": 11}, {"waiting": 10}, "11 records wait"),
        (_C.RECORDS_SHED, {}, {"shed": 1}, {"shed": 0}, "gave up 1 records in the last ten minutes"),
        (
            _C.VERSION_DRIFT,
            {"model": "digits"},
            {"drifting": ["digits"]},
            {"drifting": ["meter"]},
            "serves another version than it should: digits",
        ),
    ],
)
def test_a_node_is_named_when_it_is_beyond_the_limit(
    condition: AlertCondition, fields: dict[str, Any], bad: dict[str, Any], good: dict[str, Any], text: str
) -> None:
    seen = watch(condition, per="node", **fields)

    assert found(seen, node("bad", **bad), node("good", **good)) == {"bad": text}


def test_a_node_in_quarantine_is_not_missed() -> None:
    assert found(watch(_C.NODE_SILENT, per="node"), node(silent_s=1e6, is_quarantined=True)) == {}


@pytest.mark.parametrize(("at_least", "is_found"), [("2", True), ("3", False), ("50%", True), ("51%", False)])
def test_the_fleet_is_named_when_enough_nodes_are_beyond_the_limit(at_least: str, *, is_found: bool) -> None:
    seen = watch(_C.NODE_SILENT, at_least=at_least)
    facts = [node(f"gate-{number}", silent_s=1e4 if number < 2 else 0.0) for number in range(4)]

    said = "2 of 4 nodes (50.0%) not heard of for longer than 10 min: gate-0, gate-1"
    assert found(seen, *facts) == ({"fleet": said} if is_found else {})


def test_sites_are_counted_apart() -> None:
    seen = watch(_C.NODE_SILENT, per="site", at_least="100%")

    said = found(
        seen, node("a", site="porto", silent_s=1e4), node("b", site="braga", silent_s=1e4), node("c", site="braga")
    )

    assert list(said) == ["porto"]


def test_a_fleet_without_nodes_lacks_none() -> None:
    assert found(watch(_C.NODE_SILENT)) == {}


def test_of_many_subjects_those_that_are_followed_keep_their_places() -> None:
    tally = NodeTally(watch(_C.NODE_SILENT, "z-last", per="node"))
    for number in range(SUBJECTS_MAX + 5):
        tally.add(node(f"gate-{number:04}", silent_s=1e4))
    tally.add(node("z-last", silent_s=1e4))

    places = tally.places()

    assert (len(places.found), places.left_out, "z-last" in places.found) == (SUBJECTS_MAX, 6, True)


def test_events_are_added_up_over_the_nodes_that_are_meant() -> None:
    told = [(node("a"), 2), (node("b"), 1), (node("c", site="braga"), 1)]

    of_sites = alerting.events(watch(_C.CRASHES, per="site", limit=2.0), told)
    of_all = alerting.events(watch(_C.UPDATES_FAILED, limit=3.0), told)

    assert {name: each.value for name, each in of_sites.found.items()} == {"porto": 3.0}
    assert [each.text for each in of_all.found.values()] == ["4 updates went back"]


def behaviour(*, requests: int, errors: int = 0, latency_us: int = 1000) -> Behaviour:
    counts = Behaviour()
    for _ in range(requests - errors):
        counts.count_answer(latency_us, [], [])
    for _ in range(errors):
        counts.count_error()
    return counts


@pytest.mark.parametrize(
    ("condition", "fields", "counts", "is_found"),
    [
        (_C.ERROR_RATE, {}, behaviour(requests=100, errors=6), True),
        (_C.ERROR_RATE, {}, behaviour(requests=100, errors=5), False),
        # Six of sixty may be chance.
        (_C.ERROR_RATE, {}, behaviour(requests=60, errors=6), False),
        (_C.LATENCY_P99, {"limit": 5.0}, behaviour(requests=100, latency_us=6000), True),
        (_C.LATENCY_P99, {"limit": 5.0}, behaviour(requests=100, latency_us=4000), False),
        # Nothing was answered, so nothing was slow.
        (_C.LATENCY_P99, {"limit": 5.0}, behaviour(requests=100, errors=100), False),
        (_C.ERROR_RATE, {}, Behaviour(), False),
    ],
)
def test_a_version_is_judged_by_enough_requests(
    condition: AlertCondition, fields: dict[str, Any], counts: Behaviour, *, is_found: bool
) -> None:
    places = alerting.counts(watch(condition, **fields), [CountFact(subject="digits:2", behaviour=counts)])

    assert bool(places.found) is is_found


def test_inputs_have_moved_when_one_figure_has() -> None:
    facts = [CountFact(subject=name, behaviour=Behaviour(), shifted=moved) for name, moved in (("a", 1), ("b", 0))]

    places = alerting.counts(watch(_C.INPUT_SHIFT), facts)

    assert {name: each.text for name, each in places.found.items()} == {"a": "1 figures of the inputs have moved"}


def test_words_of_people_are_only_words() -> None:
    seen = watch(_C.ROLLOUT_ABORTED)

    places = alerting.numbers(seen, [("r1", 1.0)], {"r1": {"rollout": "{limit}:2", "reason": "{0.__class__}"}})

    assert places.found["r1"].text == "{limit}:2 was aborted: {0.__class__}"
