"""Points in time as people write them."""

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli import times

NOW_S = 1_700_000_000.0


def point(text: str | None) -> float | None:
    return times.point(text, option="--start-at", now_s=NOW_S)


@pytest.mark.parametrize(
    ("text", "at_s"),
    [
        ("2026-11-22T02:00Z", 1_795_312_800.0),
        ("2026-11-22T02:00+01:00", 1_795_309_200.0),
        ("2026-11-22 02:00:30Z", 1_795_312_830.0),
        ("0001-01-01T00:00+14:00", -62_135_647_200.0),
        ("+30m", NOW_S + 1800.0),
        ("+2h", NOW_S + 7200.0),
        ("+3d", NOW_S + 3 * 86_400.0),
        ("+5s", NOW_S + 5.0),
        ("", None),
        (None, None),
    ],
)
def test_a_time_has_a_zone_or_counts_from_now(text: str | None, at_s: float | None) -> None:
    assert point(text) == at_s


def test_a_time_without_a_zone_means_another_moment_on_each_machine_and_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="has no time zone"):
        point("2026-11-22T02:00")


@pytest.mark.parametrize("text", ["tomorrow", "+2", "+2w", "2h", "-2h", "+9999999h", "2026-13-01T00:00Z"])
def test_what_is_no_time_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"--start-at .* cannot be read; write 2026-11-22"):
        point(text)
