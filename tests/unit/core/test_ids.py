import pytest

from ganglion.core.errors import InvalidName
from ganglion.core.ids import parse_digest, parse_model_version, parse_name


@pytest.mark.parametrize("text", ["meter", "a", "A1._-", "1.2.3", "x" * 64])
def test_a_plain_name_is_returned_as_it_is(text: str) -> None:
    assert parse_name(text, what="model") == text


@pytest.mark.parametrize("text", ["", ".x", "-x", "a/b", "a..b", "a b", "ü", "x" * 65, "a\n", "a\0", "a%2e"])
def test_a_name_that_would_need_escaping_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="cannot name a model"):
        parse_name(text, what="model")


def test_a_model_and_its_version_are_split_at_the_colon() -> None:
    assert parse_model_version("meter:1.2") == ("meter", "1.2")


@pytest.mark.parametrize("text", ["meter", "meter:", ":1", "meter:1:2"])
def test_a_model_without_exactly_one_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_model_version(text)


def test_a_digest_is_64_lower_case_hexadecimal_digits() -> None:
    assert parse_digest("0a" * 32) == "0a" * 32
    for text in ("0A" * 32, "0a" * 31, "0g" * 32, "0a" * 32 + "\n"):
        with pytest.raises(InvalidName):
            parse_digest(text)
