"""Reads what people give to `ganglion advise`: YAML, JSON or TOML as trees of text, and log files.

Every scalar stays text: 0.002 is not rounded to a double, and the country NO is no boolean.
"""

import gzip
import json
import sys
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from ganglion.advisor.given import normal
from ganglion.advisor.ranges import Tree
from ganglion.advisor.thumb import Hardware, ThumbRules, hardware_from, rules_from
from ganglion.core.errors import InvalidRequest, NotFound, TooLarge

CASE_BYTES_MAX = 4_000_000
LOG_BYTES_MAX = 500_000_000
_DEPTH_MAX = 32


class _PlainLoader(yaml.BaseLoader):
    """YAML whose scalars stay text, without aliases: a small file must not unfold into a large one."""

    def compose_node(self, parent: yaml.nodes.Node | None, index: int) -> yaml.nodes.Node | None:
        """Refuse aliases, and otherwise compose as ever."""
        if self.check_event(yaml.events.AliasEvent):
            raise InvalidRequest("YAML aliases (*name) are not read: write the value again")
        node: yaml.nodes.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.nodes.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - the library's signature
        """Refuse a key that stands twice."""
        names = [key.value for key, _ in node.value if isinstance(key, yaml.nodes.ScalarNode)]
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            raise InvalidRequest(f"the key {twice!r} stands twice")
        mapping: dict[object, object] = super().construct_mapping(node, deep=deep)
        return mapping


def read_tree(file: Path) -> dict[str, Tree]:
    """Return a case file as a tree of text; "-" is standard input.

    Raises: NotFound, TooLarge, InvalidRequest: no mapping, or not well formed.
    """
    text = _text(file, CASE_BYTES_MAX)
    try:
        if file.suffix == ".toml":
            tree: object = tomllib.loads(text, parse_float=str)
        elif file.suffix == ".json" or (str(file) == "-" and text.lstrip()[:1] == "{"):
            tree = _json(text)
        else:
            tree = yaml.load(text, _PlainLoader)  # noqa: S506 - a BaseLoader, which makes text, lists and mappings only
    except InvalidRequest as error:
        raise InvalidRequest(f"{file}: {error.message}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{file}: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(tree, dict):
        raise InvalidRequest(f"{file}: a case is a mapping of names to values")
    return {str(name): _as_text(each, 0) for name, each in tree.items()}


def with_settings(tree: Mapping[str, Tree], settings: Sequence[str]) -> dict[str, Tree]:
    """Return a tree with `path=value` pairs put in; a later one goes before an earlier one. Raises: InvalidRequest."""
    result = dict(tree)
    for pair in settings:
        path, equals, value = pair.partition("=")
        if not equals or not path.strip():
            raise InvalidRequest(f"--set {pair!r} should read NAME=VALUE, as in edge.power=5 USD/month")
        _put(result, [part.strip() for part in path.split(".")], value.strip())
    return result


def read_log(file: Path) -> str:
    """Return a log file as text; `.gz` is unpacked. Raises: NotFound, TooLarge, InvalidRequest."""
    return _text(file, LOG_BYTES_MAX)


@cache
def thumb_rules() -> ThumbRules:
    """Return the rules of thumb of this release."""
    return rules_from(_shipped("rules_of_thumb.toml"))


@cache
def hardware() -> Hardware:
    """Return the hardware families of this release."""
    return hardware_from(_shipped("hardware.toml"))


def _shipped(name: str) -> dict[str, object]:
    return tomllib.loads((resources.files("ganglion.advisor") / name).read_text(encoding="utf-8"))


def _put(tree: dict[str, Tree], path: list[str], value: str) -> None:
    *above, last = path
    for name in above:
        same = next((key for key in tree if normal(key) == normal(name)), name)
        below = tree.get(same)
        tree[same] = dict(below) if isinstance(below, dict) else {}
        inner = tree[same]
        assert isinstance(inner, dict)
        tree = inner
    for key in [key for key in tree if normal(key) == normal(last)]:
        del tree[key]
    tree[last] = value


def _text(file: Path, size_max: int) -> str:
    try:
        data = sys.stdin.buffer.read(size_max + 1) if str(file) == "-" else _bytes(file, size_max)
        if file.suffix == ".gz":
            data = b"".join(_unpacked(data, size_max))
        if len(data) > size_max:
            raise TooLarge(f"{file}: more than {size_max:,} bytes")
        return data.decode("utf-8-sig", errors="replace" if size_max == LOG_BYTES_MAX else "strict")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"there is no file {file}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{file} is not UTF-8 text") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidRequest(f"{file} cannot be read: {error}") from error


def _bytes(file: Path, size_max: int) -> bytes:
    with file.open("rb") as stream:
        return stream.read(size_max + 1)


def _unpacked(data: bytes, size_max: int) -> Iterator[bytes]:
    """Yield what a gzip file holds, and stop soon after the limit: a small file must not fill the memory."""
    import io  # noqa: PLC0415 - only packed logs need it

    left = size_max + 1
    with gzip.open(io.BytesIO(data)) as stream:
        while left > 0 and (part := stream.read(min(left, 1 << 20))):
            left -= len(part)
            yield part


def _json(text: str) -> object:
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise InvalidRequest(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def _as_text(value: object, depth: int) -> Tree:
    if depth > _DEPTH_MAX:
        raise InvalidRequest("the input is nested too deeply")
    match value:
        case dict():
            return {str(name): _as_text(each, depth + 1) for name, each in value.items()}
        case list():
            return [_as_text(each, depth + 1) for each in value]
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
