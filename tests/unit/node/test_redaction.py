import pytest

from ganglion.node.domain.redaction import HIDDEN, printable, redacted

KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIO\nabc=\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2", "hunter2"),
        ("DB_PASSWORD: 'hunter two'", "hunter two"),
        ('{"api_key": "hunter2"}', "hunter2"),
        ("GANGLION_CLIENT_TOKEN=hunter2", "hunter2"),
        ("Authorization: Bearer abcdefgh12345", "abcdefgh12345"),
        ("https://ada:hunter2@hub.example/x", "hunter2"),
        (f"before\n{KEY}\nafter", "MHcCAQEEIO"),
        (KEY[:50], "MHcCAQEEIO"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIiOiIxIn0"),
        ("AKIAABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP"),
    ],
)
def test_secrets_are_taken_out(text: str, secret: str) -> None:
    shown = redacted(text)

    assert secret not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize("text", ["Filesystem  Size  Used\n/dev/sda1  10G  5G", "load: 0.1, 0.2", ""])
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_long_text_that_only_looks_like_secrets_stays() -> None:
    text = "token" * 50_000

    assert redacted(text) == text


def test_output_does_nothing_to_a_terminal() -> None:
    assert printable(b"a\x1b[2J\tb\r\n\xff\x00\n").replace("\N{REPLACEMENT CHARACTER}", "?") == "a?[2J\tb\n??\n"
