import pytest

from ganglion.core import strict_json
from ganglion.core.strict_json import DEPTH_MAX, StrictJsonError


def test_plain_json_is_read() -> None:
    assert strict_json.loads(b'{"a": [1, 2.5, null, true, "x"]}', what="it") == {"a": [1, 2.5, None, True, "x"]}


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity", b"[1, NaN]", b"1e999", b"-1e999"])
def test_numbers_that_json_does_not_have_are_refused(text: bytes) -> None:
    with pytest.raises(StrictJsonError):
        strict_json.loads(text, what="it")


def test_a_key_that_stands_twice_is_named() -> None:
    with pytest.raises(StrictJsonError, match="it: the key 'b' stands twice"):
        strict_json.loads(b'{"a": {"b": 1, "c": 2, "b": 1}}', what="it")


def test_a_key_that_stands_twice_is_found_among_very_many() -> None:
    pairs = [f'"{number}":0' for number in (*range(200_000), 199_999)]

    with pytest.raises(StrictJsonError, match="the key '199999' stands twice"):
        strict_json.loads(f"{{{','.join(pairs)}}}".encode(), what="it")


def test_nesting_is_bounded_before_the_parser_recurses() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000

    with pytest.raises(StrictJsonError, match="deeper"):
        strict_json.loads(deep, what="it")


def test_the_deepest_allowed_document_is_read() -> None:
    assert strict_json.loads(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX, what="it") != []


def test_a_number_that_no_reader_should_have_to_compute_is_refused() -> None:
    with pytest.raises(StrictJsonError, match=r"^it: "):
        strict_json.loads(b'{"size": ' + b"1" * 5000 + b"}", what="it")


@pytest.mark.parametrize("text", [rb'"\ud800"', rb'["\udc00\ud800"]', rb'{"\uDBFF": 1}'])
def test_half_a_character_is_refused_because_nobody_could_write_it_again(text: bytes) -> None:
    with pytest.raises(StrictJsonError, match="half a character"):
        strict_json.loads(text, what="it")


def test_a_character_that_is_escaped_in_two_halves_is_read() -> None:
    assert strict_json.loads(rb'"\ud83d\ude00 \\ud800"', what="it") == "\U0001f600 \\ud800"


def test_brackets_inside_strings_are_no_nesting() -> None:
    text = b'"' + b"[" * 1000 + b'\\"' + b"{" * 1000 + b'"'

    assert strict_json.loads(text, what="it") == "[" * 1000 + '"' + "{" * 1000


@pytest.mark.parametrize("data", [b"", b"{", b'{"a" 1}', b"\xff\xfe", b"{} {}", b"'a'"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(StrictJsonError, match=r"^it: "):
        strict_json.loads(data, what="it")


def test_a_document_over_the_limit_is_not_parsed() -> None:
    with pytest.raises(StrictJsonError, match="at most 10"):
        strict_json.loads(b"[" + b" " * 10 + b"]", what="it", size_max=10)
