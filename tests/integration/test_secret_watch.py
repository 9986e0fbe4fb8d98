"""The watch over the whole run: that it finds what it should, that it fails a run, and what it lets pass."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

import secret_watch
from ganglion.trust import bearer, join_token
from secret_watch import SecretWatch

KEY = bytes(range(32))
TOKEN, JOIN = bearer.compose("session", KEY), join_token.compose(KEY[:24], "ab" * 32)
GREETING = "\n".join(
    [
        "The first account is admin.",
        f"  {bearer.compose('account', KEY)}",
        f"  https://hub:1/x/{bearer.compose('link', KEY)}",
    ]
)


@pytest.fixture
def watch() -> SecretWatch:
    watch = SecretWatch()
    watch.remember_key(KEY)
    watch.remember("a passphrase of many words")
    return watch


@pytest.mark.parametrize(
    "written",
    [
        f"login failed for {TOKEN}",
        JOIN,
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        '{"passphrase": "a passphrase of many words"}',
        "-----BEGIN PRIVATE KEY-----",
        f"Again: {bearer.compose('account', KEY)}",
    ],
    ids=[
        "token",
        "join token",
        "hexadecimal",
        "base 64",
        "base 64 for addresses",
        "passphrase",
        "PEM",
        "not a greeting",
    ],
)
def test_a_secret_is_found_however_it_is_spelt(watch: SecretWatch, written: str) -> None:
    found = list(watch.finds(written.encode()))

    assert found
    assert not [find for find in found if KEY.hex() in find or "many words" in find]


@pytest.mark.parametrize("written", ["ab" * 32, "ganglion-account-…", GREETING, "0" * 64], ids=str)
def test_hashes_pins_and_the_hubs_first_greeting_are_no_finds(watch: SecretWatch, written: str) -> None:
    assert list(watch.finds(written.encode())) == []


LEAKS = {
    "stderr": "import sys; sys.stderr.write(bearer.compose('session', bytes(32)))",
    "part of a token": "print(bearer.compose('session', bytes(range(32)))[-64:])",
    "log file": "(tmp_path / 'x.log').write_text(bearer.compose('ci', bytes(32)))",
    "packed log": (
        "import gzip; (tmp_path / 'x.gz').write_bytes(gzip.compress(bearer.compose('ci', bytes(32)).encode()))"
    ),
    "key in a report": (
        "(tmp_path / 'n.key').write_bytes(bytes(range(32))); (tmp_path / 'x.html').write_text(bytes(range(32)).hex())"
    ),
}
SIDE_BY_SIDE = ("stderr", "log file")
"""What a worker prints, and what it writes: the other leaks differ in nothing that has to do with workers."""


@pytest.mark.parametrize(
    ("leak", "workers"),
    [(leak, "0") for leak in LEAKS.values()] + [(LEAKS[name], "2") for name in SIDE_BY_SIDE],
    ids=[*LEAKS, *(f"{name}, side by side" for name in SIDE_BY_SIDE)],
)
def test_a_run_that_writes_a_secret_fails_although_its_tests_pass(tmp_path: Path, leak: str, workers: str) -> None:
    outcome = run_of(tmp_path, leak, workers)

    assert outcome.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 passed" in outcome.stdout
    assert "SECRETS WERE WRITTEN" in outcome.stdout


def test_a_run_that_writes_none_passes(tmp_path: Path) -> None:
    outcome = run_of(tmp_path, "bearer.compose('session', bytes(32)); print('fine')", "0")

    assert (outcome.returncode, "SECRETS" in outcome.stdout) == (0, False)


def run_of(directory: Path, line: str, workers: str) -> "subprocess.CompletedProcess[str]":
    """Run a test of one line under the watch."""
    test = directory / "inner" / "test_one.py"
    test.parent.mkdir()
    test.write_text(f"from ganglion.trust import bearer\n\n\ndef test_it(tmp_path):\n    {line}\n")
    options = ["-q", "-p", "secret_watch", "-n", workers, "--basetemp", str(directory / "inner" / "temp"), str(test)]
    environment = {**os.environ, "PYTHONPATH": str(Path(secret_watch.__file__).parent)}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(test.parent), *options]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60, env=environment)
    # What the inner run leaves would be found by the outer one.
    for file in secret_watch.searched_files(directory):
        file.unlink()
    return done
