import pytest

from ganglion.entrypoints.hub_api.web import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "never"), (-3.0, "0 s"), (0.9, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float | None, text: str) -> None:
    assert words.age(seconds) == text


def test_counts_moments_and_shares_are_told_as_people_read_them() -> None:
    assert words.count(1_234_567) == "1\u202f234\u202f567"
    assert words.moment(86_399.9) == "23:59:59 UTC"
    assert words.day_moment(86_399.9) == "1970-01-01 23:59:59 UTC"
    assert words.day_moment(None) == ""
    assert words.share(0.386) == "39%"


def test_commands_in_a_text_are_set_as_code_and_everything_is_escaped() -> None:
    assert words.commands("try `ganglion <x>` & go") == "try <code>ganglion &lt;x&gt;</code> &amp; go"
