"""Reads the commands out of the ```console blocks of Markdown pages."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from source_tree import ROOT

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_JOINTS = {"|", "||", "&&", ";", "&"}
_REDIRECTIONS = {">", ">>", "<", "2>"}


@dataclass(frozen=True, slots=True)
class ConsoleCommand:
    """One simple command of a page, as words."""

    page: Path
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        """Return what is run, without its folder."""
        return self.words[0].rpartition("/")[2]

    def __str__(self) -> str:
        return shlex.join((self.program, *self.words[1:]))


def pages() -> list[Path]:
    """Return every page whose commands a reader may type."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def console_commands(page: Path) -> Iterator[ConsoleCommand]:
    """Yield each command behind a `$ ` prompt; pipes and `&&` are taken apart, output is skipped."""
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            if line.startswith("$ "):
                yield from _simple_commands(page, line.removeprefix("$ "))


def _simple_commands(page: Path, line: str) -> Iterator[ConsoleCommand]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _JOINTS:
            words.append(word)
            continue
        bare = _without_redirections(_without_assignments(words))
        if bare:
            yield ConsoleCommand(page.relative_to(ROOT), tuple(bare))
        words = []


def _without_assignments(words: list[str]) -> list[str]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


def _without_redirections(words: list[str]) -> list[str]:
    kept, skip = [], False
    for word in words:
        if skip or word in _REDIRECTIONS:
            skip = word in _REDIRECTIONS
            continue
        kept.append(word)
    return kept
