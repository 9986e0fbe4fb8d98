"""Reads the project's own source, for the reference pages and the architecture tests."""

import ast
import inspect
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One Python file. `name` is its dotted module name below `src`, or its path elsewhere."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    def place(self, node: ast.AST) -> str:
        """Return FILE:LINE of `node`, so that an editor can jump there."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@cache
def source_files(folder: str = "src") -> Sequence[SourceFile]:
    """Return every Python file below `folder`, in the order of their paths."""
    return [_source_file(path) for path in sorted((ROOT / folder).rglob("*.py"))]


def field_docs(kind: type) -> dict[str, str]:
    """Return the string that stands below each field of a class and of those it inherits, in one line each.

    Python forgets these strings; the source has them.
    """
    docs: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("ganglion."):
            docs |= class_docs(_classes_of(each.__module__)[each.__name__])
    return docs


@cache
def _classes_of(module: str) -> Mapping[str, ast.ClassDef]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def class_docs(node: ast.ClassDef) -> dict[str, str]:
    """Return the fields of a class statement with the string below each; an empty one when there is none."""
    docs: dict[str, str] = {}
    for statement, below in itertools.pairwise([*node.body, ast.Pass()]):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                docs[name] = one_line(text)
            case ast.AnnAssign(target=ast.Name(id=name)), _:
                docs[name] = ""
    return docs


def one_line(text: str | None) -> str:
    """Return `text` without line breaks and indentation."""
    return " ".join((text or "").split())


def _source_file(path: Path) -> SourceFile:
    relative, text = path.relative_to(ROOT), path.read_text(encoding="utf-8")
    return SourceFile(path=relative, name=_module_name(relative), text=text, tree=ast.parse(text))


def _module_name(relative: Path) -> str:
    parts = relative.with_suffix("").parts
    if parts[0] != "src":
        return str(relative)
    return ".".join(parts[1:-1] if parts[-1] == "__init__" else parts[1:])
