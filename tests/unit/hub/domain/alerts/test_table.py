"""How an alert stands to its subjects: what lasts, what flaps, what is told."""

from collections.abc import Iterable

import pytest

from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.alerts.table import TRANSITIONS, AlertEvent, AlertPhase, Finding, Followed, Step, Terms, step

TERMS = Terms(for_s=120.0, resolve_after_s=180.0)
QUIET = Terms(for_s=0.0, resolve_after_s=0.0, is_silenced=True)
AT_ONCE = Terms(for_s=0.0, resolve_after_s=0.0)


class Watched:
    """An alert that is looked at once a minute."""

    def __init__(self) -> None:
        self.subjects: dict[str, Followed] = {}
        self.now_s = 1000.0

    def look(self, *found: str, terms: Terms = TERMS, elapsed_s: float = 60.0) -> Step:
        self.now_s += 60.0
        findings = {name: Finding(name, 1.0, f"{name} is bad") for name in found}
        made = step(self.subjects, findings, terms, elapsed_s=elapsed_s, now_s=self.now_s)
        self.subjects = dict(made.subjects)
        return made

    def told(self, looks: Iterable[str]) -> list[tuple[int, str]]:
        """Return at which look what was told: `x` is found in looks that are 1."""
        told = []
        for number, found in enumerate(looks):
            made = self.look(*(["x"] if found == "1" else []))
            told += [(number, "firing")] if made.told else []
            told += [(number, "over")] if made.ended else []
        return told


def test_every_pair_is_a_step_or_refused() -> None:
    known = {(phase, event) for phase in AlertPhase for event in TRANSITIONS.events(phase)}

    assert len(known) == 6
    with pytest.raises(IllegalTransition):
        TRANSITIONS.next(AlertPhase.OK, AlertEvent.RESTED)


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ("1", []),
        ("11", []),
        ("111", [(2, "firing")]),
        ("1101", []),
        ("110111", [(5, "firing")]),
        ("1110000", [(2, "firing"), (6, "over")]),
        # It comes and goes: told once.
        ("1110100101", [(2, "firing")]),
        ("111000111", [(2, "firing")]),
        ("11100001", [(2, "firing"), (6, "over")]),
    ],
)
def test_what_lasts_is_told_once_and_what_flaps_is_not_told_again(looks: str, told: list[tuple[int, str]]) -> None:
    assert Watched().told(looks) == told


def test_without_times_it_is_told_at_the_first_look_and_over_at_the_next() -> None:
    watched = Watched()

    first = watched.look("x", terms=AT_ONCE)
    second = watched.look(terms=AT_ONCE)

    assert (first.fired, first.told) == (["x"], ["x"])
    assert (list(second.ended), second.subjects) == (["x"], {})


def test_time_in_which_nobody_looked_does_not_count() -> None:
    watched = Watched()
    watched.look("x")

    made = watched.look("x", elapsed_s=0.0)

    assert made.subjects["x"].phase is AlertPhase.PENDING
    assert watched.look("x").told == []


def test_what_fires_in_a_silence_is_told_when_it_ends() -> None:
    watched = Watched()

    fired = watched.look("x", terms=QUIET)
    later = watched.look("x", terms=AT_ONCE)

    assert (fired.fired, fired.told) == (["x"], [])
    assert (later.fired, later.told) == ([], ["x"])
    assert watched.look("x", terms=AT_ONCE).told == []


def test_what_fired_and_ended_in_a_silence_was_never_told() -> None:
    watched = Watched()
    watched.look("x", terms=QUIET)

    over = watched.look(terms=QUIET)

    assert [each.is_told for each in over.ended.values()] == [False]


def test_each_subject_stands_for_itself() -> None:
    watched = Watched()
    watched.look("x")
    watched.look("x", "y")

    made = watched.look("x", "y")

    assert (made.fired, sorted(made.subjects)) == (["x"], ["x", "y"])
    assert made.subjects["y"].phase is AlertPhase.PENDING
