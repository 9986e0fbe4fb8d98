"""Reads the files in which a fleet is declared: YAML as text, strictly, with the line of every field.

Scalars stay text, and the hub reads them as what the field is: the version 1.10 is no number, and NO is no answer.
What has no value is refused, for an empty selector means every node.
"""

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
    for name, text in _texts(root):
        size += len(text)
        if size > BYTES_MAX:
            raise TooLarge(f"the files have more than {BYTES_MAX} bytes together")
        found += _resources(text, name)
    return found


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    if str(root) == _STDIN:
        yield "stdin", sys.stdin.read(BYTES_MAX + 1)
        return
    if not root.exists():
        raise NotFound(f"{root} does not exist")
    files = sorted(each for each in root.rglob("*") if each.suffix in {".yaml", ".yml"}) if root.is_dir() else [root]
    if not files:
        raise NotFound(f"{root} has no *.yaml file")
    if len(files) > FILES_MAX:
        raise TooLarge(f"{root} has {len(files)} files, at most {FILES_MAX} are read")
    for file in files:
        yield str(file.relative_to(root) if root.is_dir() else file), _text(file)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > BYTES_MAX:
            raise TooLarge(f"{file} is larger than {BYTES_MAX} bytes")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{file} is not UTF-8") from error


def _resources(text: str, file: str) -> Iterator[Written]:
    try:
        for document in yaml.compose_all(text, _Loader):
            if document is not None and not _is_empty(document):
                yield _resource(document, file)
    except _Odd as odd:
        raise InvalidRequest(f"{file}:{odd.line}: {odd.reason}") from odd
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidRequest(f"{file}: {' '.join(str(error).split())[:300]}") from error


class _Odd(Exception):
    """What no file of a fleet may have, and in which line it stands."""

    def __init__(self, node: yaml.nodes.Node | yaml.events.Event, reason: str) -> None:
        self.line, self.reason = _line_of(node), reason


class _Loader(yaml.BaseLoader):
    """Composes nodes without aliases: a small file must not unfold into a large one."""

    def compose_node(self, parent: yaml.nodes.Node | None, index: int) -> yaml.nodes.Node | None:
        """Refuse aliases, and otherwise compose as ever."""
        if self.check_event(yaml.events.AliasEvent):
            event: yaml.events.Event = self.peek_event()  # type: ignore[no-untyped-call]  # the library has no types here
            raise _Odd(event, "YAML aliases (*name) are not read: write the value again")
        node: yaml.nodes.Node | None = super().compose_node(parent, index)
        return node


def _resource(document: yaml.nodes.Node, file: str) -> Written:
    lines: dict[str, int] = {"": _line_of(document)}
    tree = _value(document, "", lines, 0)
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


def _value(node: yaml.nodes.Node, path: str, lines: dict[str, int], depth: int) -> object:
    if depth > _DEPTH_MAX:
        raise _Odd(node, f"values are nested more than {_DEPTH_MAX} deep")
    lines.setdefault(path, _line_of(node))
    match node:
        case yaml.nodes.MappingNode():
            return _mapping(node, path, lines, depth)
        case yaml.nodes.SequenceNode():
            return [_value(each, f"{path}[{index}]", lines, depth + 1) for index, each in enumerate(node.value)]
        case yaml.nodes.ScalarNode():
            return _scalar(node, path)
        case _:
            raise _Odd(node, "only mappings, lists and plain values are read")


def _mapping(node: yaml.nodes.MappingNode, path: str, lines: dict[str, int], depth: int) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.nodes.ScalarNode):
            raise _Odd(key, "a field's name is a word")
        if key.value in found:
            raise _Odd(key, f"the field {key.value[:80]!r} stands twice")
        inner = f"{path}.{key.value}" if path else key.value
        lines[inner] = _line_of(key)
        found[key.value] = _value(value, inner, lines, depth + 1)
    return found


def _scalar(node: yaml.nodes.ScalarNode, path: str) -> str | None:
    if node.style is None and node.value in {"null", "~"}:
        return None
    if node.style is None and not node.value:
        raise _Odd(node, f'{path} has no value: write "" or null for an empty one')
    return str(node.value)


def _is_empty(node: yaml.nodes.Node) -> bool:
    """Tell whether a document is nothing but a comment."""
    return isinstance(node, yaml.nodes.ScalarNode) and node.style is None and not node.value


def _line_of(node: yaml.nodes.Node | yaml.events.Event) -> int:
    return node.start_mark.line + 1 if node.start_mark is not None else 0
