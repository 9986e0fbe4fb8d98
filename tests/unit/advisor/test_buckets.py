import pytest

from ganglion.advisor import buckets
from ganglion.advisor.fields import Section
from ganglion.advisor.given import Reading
from ganglion.advisor.ranges import Tree
from ganglion.core.errors import InvalidRequest


def quantiles(rows: Tree, *shares: float) -> dict[float, float]:
    reading = Reading()
    found = buckets.read(Section({}, reading), rows, shares, "latency")
    reading.finish()
    return found


def rows(edge: str, *pairs: tuple[str, int]) -> Tree:
    return [{edge: upper, "count": str(count)} for upper, count in pairs]


def test_counts_at_le_that_never_fall_are_of_everything_up_to_the_edge() -> None:
    found = quantiles(rows("le", ("10 ms", 50), ("20 ms", 100)), 0.75)

    assert found == {0.75: pytest.approx(15)}


def test_counts_that_fall_are_of_each_bucket() -> None:
    found = quantiles(rows("le", ("10 ms", 50), ("20 ms", 49), ("90 ms", 1)), 0.99)

    assert found == {0.99: pytest.approx(20)}


def test_counts_at_another_name_are_of_each_bucket_even_when_they_rise() -> None:
    found = quantiles(rows("upper", ("10 ms", 50), ("20 ms", 50)), 0.75)

    assert found == {0.75: pytest.approx(15)}


def test_beyond_the_last_edge_only_the_edge_is_known() -> None:
    found = quantiles(rows("le", ("10 ms", 50), ("20 ms", 90), ("+Inf", 100)), 0.5, 0.99)

    assert found == {0.5: pytest.approx(10), 0.9: 20.0}


@pytest.mark.parametrize(
    "wrong",
    [
        rows("le", ("20 ms", 1), ("10 ms", 2)),
        rows("le", ("20 ms", 0)),
        rows("le", ("+Inf", 5)),
        [],
    ],
)
def test_edges_that_do_not_ascend_or_hold_nothing_are_refused(wrong: Tree) -> None:
    with pytest.raises(InvalidRequest, match="ascending upper edges"):
        quantiles(wrong, 0.5)
