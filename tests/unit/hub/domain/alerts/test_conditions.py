"""What alerts can watch: defaults, units, and what is refused."""

from typing import Any

import pytest

from ganglion.core.errors import GanglionError
from ganglion.hub.domain.alerts.conditions import RULES, at_least_of, checked, is_true, written
from ganglion.hub.domain.fleet.specs import AlertSpec, tree_of
from ganglion.wire.alert_resources import AlertCondition, Severity

_C = AlertCondition


def spec(condition: AlertCondition = _C.NODE_SILENT, **fields: Any) -> AlertSpec:
    return AlertSpec(condition=condition, **fields)


def test_every_condition_has_a_rule_and_holds_by_its_defaults() -> None:
    assert set(RULES) == set(AlertCondition)
    for condition in AlertCondition:
        assert checked(spec(condition)).limit == RULES[condition].limit


def test_what_is_left_out_is_filled_in_and_checking_again_changes_nothing() -> None:
    once = checked(spec(_C.ERROR_RATE, at_least=" 1"))

    assert (once.limit, once.per, once.within_s, once.at_least) == (0.05, "fleet", 600.0, "1")
    assert checked(once) == once


def test_a_default_that_is_written_out_is_the_default() -> None:
    written_out = spec(limit=float("600"), for_s=float("300"), at_least="".join("1"), severity=Severity("warning"))

    assert tree_of(checked(written_out)) == tree_of(checked(spec()))


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        (_C.NODE_SILENT, {"limit": -1.0}),
        (_C.NODE_SILENT, {"limit": float("nan")}),
        (_C.NODE_SILENT, {"limit": float("inf")}),
        (_C.NODE_SILENT, {"for_s": -1.0}),
        (_C.NODE_SILENT, {"for_s": 1e9}),
        (_C.NODE_SILENT, {"resolve_after_s": float("nan")}),
        (_C.NODE_SILENT, {"at_least": "0"}),
        (_C.NODE_SILENT, {"at_least": "0%"}),
        (_C.NODE_SILENT, {"at_least": "101%"}),
        (_C.NODE_SILENT, {"at_least": "many"}),
        (_C.NODE_SILENT, {"at_least": ""}),
        (_C.NODE_SILENT, {"at_least": "3", "per": "node"}),
        (_C.NODE_SILENT, {"to": "line-3"}),
        (_C.NODE_SILENT, {"to": "group:../x"}),
        (_C.NODE_SILENT, {"to": "group:line-3", "select": "line=3"}),
        (_C.NODE_SILENT, {"select": "=="}),
        (_C.NODE_SILENT, {"model": "digits"}),
        (_C.NODE_SILENT, {"within_s": 60.0}),
        (_C.NODE_SILENT, {"check": "clock"}),
        (_C.NODE_UNWELL, {"check": "../clock"}),
        (_C.NODE_UNWELL, {"limit": 0.5}),
        (_C.ERROR_RATE, {"within_s": 30.0}),
        (_C.ERROR_RATE, {"within_s": 7200.0}),
        (_C.ERROR_RATE, {"at_least": "2"}),
        (_C.ERROR_RATE, {"model": "a b"}),
        (_C.HUB_DISK_LOW, {"per": "node"}),
        (_C.ROLLOUT_WAITING, {"select": ""}),
        (_C.CRASHES, {"description": "x" * 501}),
        (_C.CRASHES, {"description": "one\x1b[2Jline"}),
    ],
)
def test_what_cannot_be_watched_is_refused(condition: AlertCondition, fields: dict[str, Any]) -> None:
    with pytest.raises(GanglionError):
        checked(spec(condition, **fields))


@pytest.mark.parametrize(("text", "both"), [("3", (3, 0.0)), ("12.5%", (1, 0.125)), ("100%", (1, 1.0))])
def test_a_number_of_nodes_is_a_count_or_a_share(text: str, both: tuple[int, float]) -> None:
    assert at_least_of(checked(spec(at_least=text))) == both


def test_a_limit_is_crossed_from_its_own_side() -> None:
    silent, disk = checked(spec(limit=60.0)), checked(spec(_C.DISK_LOW, limit=1e9))

    assert (is_true(silent, 61.0), is_true(silent, 60.0)) == (True, False)
    assert (is_true(disk, 9e8), is_true(disk, 1e9)) == (True, False)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (30.0, "s", "30 s"),
        (600.0, "s", "10 min"),
        (7200.0, "s", "2 h"),
        (172_800.0, "s", "2 d"),
        (1.5e9, "bytes", "1.50 GB"),
        (0.051, "share", "5.1%"),
        (12.0, "ms", "12 ms"),
        (100_000.0, "", "100000"),
    ],
)
def test_figures_are_written_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text
