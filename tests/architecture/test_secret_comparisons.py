"""Secrets are compared in constant time, or looked up by their hash: never with `==`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from source_tree import ROOT

SECRET = {"token", "secret", "password", "passphrase", "signature", "access_token", "csrf", "ca_pin", "pin", "cookie"}

TYPED_TWICE = "again"
"""One person sends both words of this comparison, and learns nothing from it."""


def modules() -> list[Path]:
    return sorted((ROOT / "src").rglob("*.py"))


def named(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Attribute(value=value, attr="encode" | "strip" | "lower")):
            return named(value)
        case _:
            return ""


def is_text(node: ast.expr) -> bool:
    """Say whether it stands in the source: comparing with that tells nothing of a secret."""
    return isinstance(node, ast.Constant)


def leaking(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        sides = [node.left, node.comparators[0]]
        if TYPED_TWICE in map(named, sides):
            continue
        if any(named(side) in SECRET for side in sides) and not any(is_text(side) for side in sides):
            yield node.lineno


@pytest.mark.parametrize("module", modules(), ids=lambda module: str(module.relative_to(ROOT / "src")))
def test_no_secret_is_compared_in_a_time_that_tells_of_it(module: Path) -> None:
    assert list(leaking(module.read_text(encoding="utf-8"))) == []


def test_a_comparison_that_leaks_is_noticed() -> None:
    assert list(leaking("if token == row.token: pass\nif given.strip() != self.secret.encode(): pass")) == [1, 2]
    assert list(leaking('if token == "": pass\nif name == other: pass')) == []
