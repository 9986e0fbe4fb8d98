import pytest

from ganglion.entrypoints.hub_api.file_reply import Span, parse_range


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-5", Span(2, 6)),
        ("bytes=7-", Span(7, 10)),
        ("bytes=0-99", Span(0, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-30", Span(0, 10)),
    ],
)
def test_one_range_is_taken_and_cut_at_the_end_of_the_file(text: str, span: Span) -> None:
    assert parse_range(text, 10) == span


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_outside_the_file_is_empty(text: str) -> None:
    span = parse_range(text, 10)

    assert span is not None
    assert span.start >= span.end


@pytest.mark.parametrize(
    "text", ["", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes=+1-2", "0-1"]
)
def test_what_is_no_single_range_asks_for_the_whole_file(text: str) -> None:
    assert parse_range(text, 10) is None


def test_an_empty_file_has_no_range() -> None:
    span = parse_range("bytes=0-", 0)

    assert span == Span(0, 0)
