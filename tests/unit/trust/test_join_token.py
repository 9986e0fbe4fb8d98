import pytest

from ganglion.core.identity_errors import TokenRefused
from ganglion.trust import join_token
from ganglion.trust.join_token import JoinToken

SECRET = bytes(range(24))
PIN = "ab" * 32
TOKEN = join_token.compose(SECRET, PIN)


def test_a_token_carries_a_secret_and_the_pin_of_the_hub() -> None:
    assert join_token.parse(TOKEN) == JoinToken(secret_text=SECRET.hex(), ca_pin=PIN)


def test_a_token_can_be_spent_whole_or_by_its_secret() -> None:
    assert join_token.secret_in(TOKEN) == SECRET.hex()
    assert join_token.secret_in(SECRET.hex()) == SECRET.hex()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        SECRET.hex(),
        TOKEN[:-1],
        TOKEN[1:],
        f"{TOKEN}0",
        f" {TOKEN}",
        f"{TOKEN}\n",
        TOKEN.upper(),
        f"{TOKEN}.{PIN}",
    ],
)
def test_a_token_copied_in_part_or_changed_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused, match="not a join token"):
        join_token.parse(text)


def test_the_error_does_not_repeat_the_secret() -> None:
    with pytest.raises(TokenRefused) as refused:
        join_token.parse(TOKEN[:-1])

    assert SECRET.hex() not in refused.value.message
