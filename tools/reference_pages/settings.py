"""docs/reference/settings.md: every setting with its variable, default, unit and meaning."""

import msgspec
from msgspec.structs import FieldInfo

from ganglion.entrypoints.settings.loader import leaves
from ganglion.entrypoints.settings.tree import CONFIG_VARIABLE, Settings
from reference_pages.markdown import code, page, table
from source_tree import field_docs, one_line

_INTRODUCTION = f"""\
Each setting has a default. One TOML file may change it (`--config FILE`, or the variable `{CONFIG_VARIABLE}`), a
variable wins over the file, and an option on the command line wins over both. In the file, each heading below is a
table and each setting a key. All mistakes are reported together, when the program starts."""

_UNITS = {
    "bytes": "bytes",
    "kib": "KiB",
    "days": "days",
    "ns": "nanoseconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "share": "share, 0 to 1",
    "ratio": "ratio",
    "rate": "share, 0 to 1",
}
_RATES = {"bytes_per_s": "bytes per second", "bytes_per_hour": "bytes per hour", "per_minute": "per minute"}


def render() -> str:
    """Return the page."""
    return page("Settings", _INTRODUCTION, *_sections(Settings, ""))


def sections(kind: type[msgspec.Struct] = Settings, path: str = "") -> list[tuple[str, type[msgspec.Struct]]]:
    """Return every table of the settings file with the Struct behind it."""
    found = [(path, kind)]
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found += sections(field.type, f"{path}.{field.name}".lstrip("."))
    return found


def unit_of(name: str) -> str:
    """Return the unit that a setting's name states, or nothing."""
    whole = next((unit for words, unit in _RATES.items() if words in name), "")
    return whole or next((_UNITS[word] for word in name.split("_") if word in _UNITS), "")


def _sections(kind: type[msgspec.Struct], path: str) -> list[str]:
    blocks = []
    for table_path, section in sections(kind, path):
        rows = _rows(table_path, section)
        if rows:
            header = ("setting", "variable", "default", "unit", "meaning")
            blocks += [f"## `[{table_path}]`", one_line(section.__doc__), table(header, rows)]
    return blocks


def _rows(path: str, kind: type[msgspec.Struct]) -> list[tuple[str, ...]]:
    docs = field_docs(kind)
    own = [leaf for leaf in leaves(kind, f"{path}.") if leaf.name.count(".") == path.count(".") + 1]
    return [
        (
            code(leaf.field.name),
            code(leaf.variable),
            code(_default(_default_of(leaf.field))),
            unit_of(leaf.field.name),
            docs.get(leaf.field.name, ""),
        )
        for leaf in own
    ]


def _default_of(field: FieldInfo) -> object:
    """Return the default, which of a table is made anew each time."""
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _default(value: object) -> str:
    match value:
        case str():
            return f'"{value}"'
        case bool():
            return str(value).lower()
        case tuple():
            return "[" + ", ".join(_default(entry) for entry in value) + "]"
        case _:
            return str(value)
