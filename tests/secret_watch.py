"""Watches the whole test run for secrets that are written where they do not belong.

Each secret that the process of a test makes is remembered: tokens, links, passwords, passphrases, private keys. What a
child process makes is known by its shape, and by the key files that it leaves. At the end everything written is read:
what tests captured, and every log, report and database below their directories. One find fails the run.
"""

import base64
import functools
import gzip
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SUFFIXES = frozenset(
    {".log", ".txt", ".html", ".out", ".err", ".md", ".csv", ".xml", ".db", ".db-wal", ".md5", ".part", ".gz", ".tgz"}
)
"""Of files that people hand on: logs, reports, support bundles, and databases, which hold hashes alone."""
_PACKED = frozenset({".gz", ".tgz"})
_FILE_BYTES_MAX = 50_000_000
_FINDS_MAX = 50
_WORD_LENGTH_MIN = 12
_KINDS = b"account|session|link|asking|client|node|ci"
_SHAPES = re.compile(
    rb"(?P<bearer>ganglion-(?:" + _KINDS + rb")-[0-9a-f]{64})"
    rb"|(?P<join>(?<![0-9a-f])[0-9a-f]{48}\.[0-9a-f]{64}(?![0-9a-f]))"
    rb"|(?P<pem>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)"
)
_HEXADECIMAL = re.compile(rb"(?<![0-9a-fA-F])[0-9a-fA-F]{48}(?:[0-9a-fA-F]{16})?(?![0-9a-fA-F])")
_BASE64 = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}(?![A-Za-z0-9+/_-])")
_GREETING = re.compile(
    rb"^  (?:ganglion-account-[0-9a-f]{64}|ganglion login https://\S+ --token \S+ --ca-pin [0-9a-f]{64}"
    rb"|https://\S+ganglion-link-[0-9a-f]{64})$",
    re.MULTILINE,
)
"""How a hub greets who starts it first, on standard output: the one time that it shows what opens it."""


class SecretWatch:
    """Remembers secrets, and finds them in what was written."""

    def __init__(self) -> None:
        self._codes: set[bytes] = set()
        """In lower-case hexadecimal."""
        self._words: set[bytes] = set()

    def remember(self, secret: str) -> None:
        """Take note of a token or a passphrase."""
        for code in _HEXADECIMAL.findall(secret.encode()):
            self._codes.add(code)
        if not _HEXADECIMAL.search(secret.encode()) and len(secret) >= _WORD_LENGTH_MIN:
            self._words.add(secret.encode())

    def remember_key(self, raw: bytes) -> None:
        """Take note of a private key of 32 bytes."""
        self._codes.add(raw.hex().encode())

    def finds(self, data: bytes) -> Iterator[str]:
        """Yield what kind of secret stands in `data`, never the secret itself."""
        data = _GREETING.sub(b"", data)
        for match in _SHAPES.finditer(data):
            yield f"a secret of the shape {match.lastgroup}"
        if self._codes:
            yield from ("a token or key, in hexadecimal" for each in _HEXADECIMAL.findall(data) if self._is_code(each))
            yield from ("a key, in base 64" for each in _BASE64.findall(data) if self._is_key(each))
        yield from ("a password or passphrase" for word in self._words if word in data)

    def _is_code(self, text: bytes) -> bool:
        return text.lower() in self._codes

    def _is_key(self, text: bytes) -> bool:
        raw = base64.b64decode(text.replace(b"-", b"+").replace(b"_", b"/") + b"=")
        return raw.hex().encode() in self._codes


def searched_files(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory that may be handed on, links apart."""
    yield from (path for path in _files(directory) if path.suffix in SUFFIXES)


def _files(directory: Path) -> Iterator[Path]:
    # Not `rglob`, which ends where a directory goes meanwhile: each run removes those of runs before it.
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in names):
            if not path.is_symlink() and path.is_file():
                yield path


def _read(path: Path, bytes_max: int) -> bytes:
    """Return the content; nothing of a file that is larger, or gone."""
    try:
        if path.suffix in _PACKED:
            # What is packed into it stands there as it is, between heads that mean nothing here.
            with gzip.open(path) as packed:
                return packed.read(bytes_max)
        return path.read_bytes() if path.stat().st_size <= bytes_max else b""
    except (OSError, EOFError, zlib.error):
        return b""


class WatchPlugin:
    """The hooks of pytest, in one process of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._watch = config, SecretWatch()
        self._finds: list[str] = []
        self._patched: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Follow what was imported since the last test. Nothing is imported for the sake of this."""
        for module, name, taken in _SOURCES:
            if module in sys.modules and f"{module}.{name}" not in self._patched:
                self._patched.add(f"{module}.{name}")
                self._follow(module, name, taken)

    def _follow(self, module: str, name: str, taken: "_Taken") -> None:
        owner: Any = sys.modules[module]
        *path, last = name.split(".")
        for step in path:
            owner = getattr(owner, step)
        real = getattr(owner, last)

        @functools.wraps(real)
        def followed(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            self._watch.remember(taken(args, result))
            return result

        setattr(owner, last, followed)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Read what a test wrote. Beside others this comes twice: in the worker, which knows the secrets, and above."""
        for title, text in report.sections:
            self._note(f"{report.nodeid}: {title}", text.encode())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Read the files, and fail the run, or tell the process above."""
        factory = getattr(self._config, "_tmp_path_factory", None)
        base: Path | None = getattr(factory, "_basetemp", None)
        if base is not None and base.is_dir():
            self._read_files(base)
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["written_secrets"] = self._finds
        elif self._finds:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker found."""
        self._finds += getattr(node, "workeroutput", {}).get("written_secrets", [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where."""
        if self._finds:
            terminalreporter.section("SECRETS WERE WRITTEN", red=True)
            for find in sorted(set(self._finds))[:_FINDS_MAX]:
                terminalreporter.line(find)

    def _read_files(self, base: Path) -> None:
        for key in (path for path in _files(base) if path.suffix == ".key"):
            raw = _read(key, _KEY_BYTES)
            if len(raw) == _KEY_BYTES:
                self._watch.remember_key(raw)
        for path in searched_files(base):
            self._note(str(path.relative_to(base)), _read(path, _FILE_BYTES_MAX))

    def _note(self, place: str, data: bytes) -> None:
        self._finds += [f"{place}: {find}" for find in self._watch.finds(data)]


_KEY_BYTES = 32
_Taken = Callable[[tuple[Any, ...], Any], str]
_SOURCES: tuple[tuple[str, str, _Taken], ...] = (
    ("ganglion.trust.bearer", "compose", lambda _args, result: str(result)),
    ("ganglion.trust.join_token", "compose", lambda _args, result: str(result).partition(".")[0]),
    ("ganglion.adapters.argon2_passwords", "Argon2Passwords.hash", lambda args, _result: str(args[1])),
    ("ganglion.adapters.key_documents", "make_key", lambda args, _result: str(args[2])),
)
"""Where secrets are made: module, function, and what of its call is the secret."""


def pytest_configure(config: pytest.Config) -> None:
    """Watch this process."""
    config.pluginmanager.register(WatchPlugin(config), "secret-watch-plugin")
