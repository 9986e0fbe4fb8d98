import pytest

from ganglion.trust import challenge

KEY, RANDOM = b"k" * 32, b"r" * 16


def test_a_challenge_is_good_until_it_expires() -> None:
    nonce = challenge.compose(KEY, RANDOM, expires_at_s=100.5)

    assert challenge.is_good(KEY, nonce, now_s=100.4)
    assert not challenge.is_good(KEY, nonce, now_s=100.5)


def test_only_the_key_that_made_it_knows_it() -> None:
    nonce = challenge.compose(KEY, RANDOM, expires_at_s=100.0)

    assert not challenge.is_good(b"o" * 32, nonce, now_s=1.0)


def test_no_letter_of_it_may_be_another() -> None:
    nonce = challenge.compose(KEY, RANDOM, expires_at_s=100.0)

    changed = [
        f"{nonce[:index]}{'0' if letter != '0' else '1'}{nonce[index + 1 :]}" for index, letter in enumerate(nonce)
    ]

    assert not any(challenge.is_good(KEY, each, now_s=1.0) for each in changed)


@pytest.mark.parametrize("text", ["", "-", "--", "a-b-c", "é", "00-99999999999999-00"])
def test_other_texts_are_no_challenges(text: str) -> None:
    assert not challenge.is_good(KEY, text, now_s=1.0)
