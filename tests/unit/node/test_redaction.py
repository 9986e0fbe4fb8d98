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
        ('{"event":"x","body":"{\\"password\\": \\"hunter two\\"}"}', "hunter"),
        ('{"password": "hunter\\"two"}', "two"),
        ("GET /x?sig=hunter2&page=2", "hunter2"),
        ("GET /x?X-Amz-Signature=hunter2", "hunter2"),
        ("Set-Cookie: a=hunter2; b=hunter3", "hunter3"),
        ('{"cookie": "a=hunter2; b=hunter3"}', "hunter3"),
        ("Authorization: Custom hunter2 hunter3", "hunter3"),
        ('{"headers": [["authorization", "Bearer abcdefgh12345"]]}', "abcdefgh12345"),
        ("mysql --password hunter2 --host db", "hunter2"),
        ("ganglion login https://hub --token hunter2", "hunter2"),
        ("DB_PASS=hunter2", "hunter2"),
        ('{"pin": "123456"}', "123456"),
        ("https://0123456789abcdef@hub.example/x", "0123456789abcdef"),
        (f"joins with {'0a' * 24}.{'1b' * 32} now", "0a0a"),
        (f"holds ganglion-client-{'0a' * 32}", "0a0a"),
    ],
)
def test_secrets_are_taken_out(text: str, secret: str) -> None:
    shown = redacted(text)

    assert secret not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        "Filesystem  Size  Used\n/dev/sda1  10G  5G",
        "load: 0.1, 0.2",
        "",
        "3 passed: all",
        '{"event":"update.moved","model":"meter","spin":1,"ping":2}',
        "https://hub.example:8443/api/v1/node/report",
        "sha256: " + "0a" * 32,
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_long_text_that_only_looks_like_secrets_stays() -> None:
    for word in ("token", "--", "cookie", "://", '\\"', "pass_"):
        text = word * 5_000

        assert redacted(text) == text


def test_output_does_nothing_to_a_terminal() -> None:
    assert printable(b"a\x1b[2J\tb\r\n\xff\x00\n").replace("\N{REPLACEMENT CHARACTER}", "?") == "a?[2J\tb\n??\n"
