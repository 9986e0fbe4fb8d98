"""Reads the files in which a fleet is declared: YAML as text, strictly, with the line of every field.

Scalars stay text, and the hub reads them as what the field is: the version 1.10 is no number, and NO is no answer.
What has no value is refused, for an empty selector means every node.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from ganglion.core.errors import InvalidRequest, NotFound, TooLarge
from ganglion.wire.apply_resources import FleetResource

FILES_MAX = 2000
BYTES_MAX = 7_000_000
"""Of all files together: a request has to carry them."""
_DEPTH_MAX = 12
_TOP = frozenset({"apiVersion", "kind", "metadata", "spec"})
_STDIN = "-"
_SUFFIXES = frozenset({".yaml", ".yml"})
_REASON_MAX = 200
_NEWLINE = b"\n"
_LOADER = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
"""Makes nodes, and never objects."""


@dataclass(frozen=True, slots=True)
class Written:
    """A resource and where its fields stand."""

    resource: FleetResource
    file: str
    lines: dict[str, int]
    """By path, as `spec.nodes[0]`."""

    def place_of(self, path: str) -> str:
        """Return FILE:LINE of a field, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return f"{self.file}:{self.lines.get(path, self.lines[''])}"


def read(root: Path) -> list[Written]:
    """Return every resource of a file, of a directory's *.yaml and *.yml files, or of standard input with "-".

    Raises: NotFound, TooLarge, InvalidRequest: with the file and the line.
    """
    found, size = list[Written](), 0
    for name, data in _files(root):
        size += len(data)
        if size > BYTES_MAX:
            raise TooLarge(f"{name}: the files have more than {BYTES_MAX} bytes together")
        found += _resources(_text(data, name), name)
    return found


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    if str(root) == _STDIN:
        yield "stdin", sys.stdin.buffer.read(BYTES_MAX + 1)
        return
    if not root.exists():
        raise NotFound(f"{root} does not exist")
    files = sorted(_below(root)) if root.is_dir() else [root]
    if not files:
        raise NotFound(f"{root} has no *.yaml file")
    if len(files) > FILES_MAX:
        raise TooLarge(f"{root} has {len(files)} files, at most {FILES_MAX} are read")
    for file in files:
        yield _shown(str(file.relative_to(root) if root.is_dir() else file)), _bytes(file)


def _below(root: Path) -> Iterator[Path]:
    """Yield the files of a directory; those whose name or directory begins with a dot are somebody else's.

    Raises: InvalidRequest: a link leads out of it, and its content would stand in messages.
    """
    inside = Path(os.path.realpath(root))
    for file in root.rglob("*"):
        if file.suffix not in _SUFFIXES or any(part.startswith(".") for part in file.relative_to(root).parts):
            continue
        # Not `resolve`, which fails on a link to itself.
        if not Path(os.path.realpath(file)).is_relative_to(inside):
            raise InvalidRequest(f"{_shown(str(file))} is a link that leads out of {root}: put the file itself there")
        yield file


def _bytes(file: Path) -> bytes:
    """Return what a file holds, and a byte more than may be read at most: a pipe does not tell its size."""
    try:
        with file.open("rb") as opened:
            return opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise InvalidRequest(f"{_shown(str(file))} cannot be read: {error.strerror}") from error


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{file}:{data.count(_NEWLINE, 0, error.start) + 1}: this is not UTF-8") from error


def _resources(text: str, file: str) -> Iterator[Written]:
    try:
        _check_events(text)
        for document in yaml.compose_all(text, _LOADER):
            if document is not None and not _is_empty(document):
                yield _resource(document, file)
    except _Odd as odd:
        raise InvalidRequest(f"{file}:{odd.line}: {odd.reason}") from odd
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(filter(None, (error.context, error.problem)))
        raise InvalidRequest(f"{file}:{mark.line + 1 if mark else 1}: {_shown(reason[:_REASON_MAX])}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidRequest(f"{file}:{line}: a character that YAML does not have: {error.reason}") from error


class _Odd(Exception):
    """What no file of a fleet may have, and in which line it stands."""

    def __init__(self, node: yaml.nodes.Node | yaml.events.Event, reason: str) -> None:
        self.line, self.reason = _line_of(node), reason


def _check_events(text: str) -> None:
    """Raises: _Odd: aliases, by which a small file unfolds into a large one; types; and what fills the stack."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.events.AliasEvent):
            raise _Odd(event, "YAML aliases (*name) are not read: write the value again")
        if getattr(event, "tag", None) not in {None, "!"}:
            raise _Odd(event, "YAML tags (!name) are not read: write the value alone")
        depth += isinstance(event, yaml.events.CollectionStartEvent) - isinstance(event, yaml.events.CollectionEndEvent)
        if depth > _DEPTH_MAX:
            raise _Odd(event, f"values are nested more than {_DEPTH_MAX} deep")


def _resource(document: yaml.nodes.Node, file: str) -> Written:
    lines: dict[str, int] = {"": _line_of(document)}
    tree = _value(document, "", lines)
    if not isinstance(tree, dict):
        raise _Odd(document, "a resource is a mapping with apiVersion, kind, metadata and spec")
    if odd := next((name for name in tree if name not in _TOP), None):
        raise _Odd(document, f"there is no field {odd[:80]!r} beside apiVersion, kind, metadata and spec")
    metadata, spec = tree.get("metadata"), tree.get("spec", {})
    if not isinstance(metadata, dict) or set(metadata) != {"name"} or not isinstance(metadata["name"], str):
        raise _Odd(document, "metadata has a name, and nothing else")
    if not isinstance(spec, dict):
        raise _Odd(document, "spec is a mapping")
    resource = FleetResource(
        api_version=str(tree.get("apiVersion", "")),
        kind=str(tree.get("kind", "")),
        name=metadata["name"],
        spec=spec,
        source=f"{file}:{lines['']}",
    )
    return Written(resource, file, lines)


def _value(node: yaml.nodes.Node, path: str, lines: dict[str, int]) -> object:
    lines.setdefault(path, _line_of(node))
    match node:
        case yaml.nodes.MappingNode():
            return _mapping(node, path, lines)
        case yaml.nodes.SequenceNode():
            return [_value(each, f"{path}[{index}]", lines) for index, each in enumerate(node.value)]
        case yaml.nodes.ScalarNode():
            return _scalar(node, path)
        case _:
            raise _Odd(node, "only mappings, lists and plain values are read")


def _mapping(node: yaml.nodes.MappingNode, path: str, lines: dict[str, int]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.nodes.ScalarNode):
            raise _Odd(key, "a field's name is a word")
        if key.value in found:
            raise _Odd(key, f"the field {key.value[:80]!r} stands twice")
        inner = f"{path}.{key.value}" if path else key.value
        lines[inner] = _line_of(key)
        found[key.value] = _value(value, inner, lines)
    return found


def _scalar(node: yaml.nodes.ScalarNode, path: str) -> str | None:
    # The two parsers of the library say it differently that there are no quotes.
    if not node.style and node.value in {"null", "~"}:
        return None
    if not node.style and not node.value:
        raise _Odd(node, f'{_shown(path[:_REASON_MAX])} has no value: write "" or null for an empty one')
    return str(node.value)


def _is_empty(node: yaml.nodes.Node) -> bool:
    """Tell whether a document is nothing but a comment."""
    return isinstance(node, yaml.nodes.ScalarNode) and not node.style and not node.value


def _shown(text: str) -> str:
    """Return text that a terminal can be given: names and messages come from whoever wrote the files."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _line_of(node: yaml.nodes.Node | yaml.events.Event) -> int:
    return node.start_mark.line + 1 if node.start_mark is not None else 0
