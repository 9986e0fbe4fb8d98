"""Laws of alerts, whatever is found, however long looks are apart, and wherever the hub begins anew."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ganglion.hub.domain.alerts.table import Finding, Followed, Terms, step

Looks = list[tuple[bool, bool, bool, float]]
"""By look: was it found, is it silenced, did the hub begin anew before it, and the time since the look before."""

LOOKS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0.0, 30.0, 60.0, 300.0])), max_size=40
)
TIMES = st.sampled_from([0.0, 60.0, 90.0, 300.0])


def run(looks: Looks, for_s: float, resolve_after_s: float) -> list[tuple[str, float]]:
    """Return what was told and when; a hub that begins anew knows what was stored, and not when it last looked."""
    subjects: dict[str, Followed] = {}
    now_s, told = 0.0, list[tuple[str, float]]()
    for found, is_silenced, is_anew, apart_s in looks:
        now_s += apart_s
        if is_anew:
            subjects = msgspec.json.decode(msgspec.json.encode(subjects), type=dict[str, Followed])
        made = step(
            subjects,
            {"x": Finding("x", 1.0, "")} if found else {},
            Terms(for_s=for_s, resolve_after_s=resolve_after_s, is_silenced=is_silenced),
            elapsed_s=0.0 if is_anew else apart_s,
            now_s=now_s,
        )
        told += [("firing", now_s)] if made.told else []
        told += [("over", now_s)] if any(each.is_told for each in made.ended.values()) else []
        subjects = dict(made.subjects)
    return told


@given(LOOKS, TIMES, TIMES)
def test_nothing_is_told_twice_and_nothing_is_over_that_was_not_told(
    looks: Looks, for_s: float, resolve_after_s: float
) -> None:
    told = [event for event, _ in run(looks, for_s, resolve_after_s)]

    assert told == ["firing", "over"] * (len(told) // 2) + ["firing"] * (len(told) % 2)


@given(LOOKS, TIMES, TIMES)
def test_nothing_is_told_before_it_was_found_for_as_long_as_it_must_be(
    looks: Looks, for_s: float, resolve_after_s: float
) -> None:
    told = run(looks, for_s, resolve_after_s)

    for event, at_s in told:
        if event == "firing":
            assert longest_found_s(looks, at_s) >= for_s


@given(st.lists(st.sampled_from([30.0, 60.0, 300.0]), min_size=1, max_size=30), TIMES)
def test_what_is_found_for_long_enough_is_told(apart: list[float], for_s: float) -> None:
    looks = [(True, False, False, 0.0), *((True, False, False, each) for each in apart)]

    told = run(looks, for_s, 60.0)

    assert bool(told) == (sum(apart) >= for_s)


def longest_found_s(looks: Looks, until_s: float) -> float:
    """Return the longest time up to a moment through which every look found it."""
    now_s, began_s, longest_s = 0.0, None, 0.0
    for found, _, _, apart_s in looks:
        now_s += apart_s
        if now_s > until_s:
            break
        began_s = (now_s if began_s is None else began_s) if found else None
        longest_s = max(longest_s, now_s - began_s) if began_s is not None else longest_s
    return longest_s
