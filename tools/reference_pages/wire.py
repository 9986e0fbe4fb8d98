"""docs/reference/wire.md: every message between hub and node, its fields, and the bytes of an example."""

import inspect
from collections.abc import Sequence

import msgspec
from msgspec.structs import FieldInfo

from ganglion.wire.schema import SCHEMA
from golden_messages import CURRENT, message_kinds
from reference_pages.markdown import code, page, table
from source_tree import ROOT, field_docs, one_line

_INTRODUCTION = f"""\
These are all the messages between hub and node, in version {SCHEMA} of the schema. Bodies are JSON; a batch of
records is msgpack inside zstd. Paths and calls stand in [rest.md](rest.md), how records are delivered once in
[exactly-once.md](../explanation/exactly-once.md)."""

_RULES = """\
A fleet is never updated in one moment, so every release talks to the one before and to the one after:

- A reader ignores fields that it does not know. A hub may be newer than its nodes, and a node newer than its hub.
- A new field has a default, and the default means what silence meant before. No field becomes required.
- A field is never renamed and never changes its type. One that is no longer needed is ignored for two releases, then
  removed.
- Records are arrays, without field names: they grow at their end only.
- A class of records, or a command, that a reader does not know is kept, or refused by name; the rest counts.
- The bytes of an example of each message are pinned in `tests/golden/wire`. A release that changes them on purpose
  says so in the changelog; `tests/unit/wire/test_old_and_new.py` reads messages of the first release today, and
  today's with the fields that the first release knew.
- A change that cannot keep to these rules needs a new version of the schema, with golden files of its own beside the
  old ones."""


def render() -> str:
    """Return the page."""
    return page("Messages", _INTRODUCTION, "## Old and new", _RULES, *map(_section, message_kinds()))


def _section(kind: type[msgspec.Struct]) -> str:
    docs = field_docs(kind)
    fields = msgspec.structs.fields(kind)
    rows = [
        (code(field.encode_name), code(_type(field.type)), _default(field), docs.get(field.name, ""))
        for field in fields
    ]
    form = "an array" if kind.__struct_config__.array_like else "a map"
    golden = (CURRENT / f"{kind.__name__}.json").relative_to(ROOT)
    said = f"{one_line(inspect.getdoc(kind))} Encoded as {form}; pinned in `{golden}`."
    return f"## {kind.__name__}\n\n{said}\n\n{table(('field', 'type', 'default', 'meaning'), rows)}"


def _default(field: FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return code(_brief(value))


def _brief(value: object) -> str:
    match value:
        case msgspec.Struct():
            return f"{type(value).__name__}()"
        case str() | bytes():
            return '""' if not value else repr(value)
        case tuple():
            return "[" + ", ".join(map(_brief, value)) + "]"
        case list() if len(value) > _LIST_MAX:
            return f"{len(value)} times {value[0]}"
        case _:
            return str(value)


def _type(hint: object) -> str:
    """Return a type as it reads in the source, without modules."""
    arguments: Sequence[object] = getattr(hint, "__args__", ())
    if arguments and (origin := getattr(hint, "__origin__", None)) is not None:
        inner = ", ".join("…" if each is Ellipsis else _type(each) for each in arguments)
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return getattr(hint, "__name__", str(hint))


_LIST_MAX = 4
