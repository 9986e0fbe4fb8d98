"""Finds uses of the clock, chance and environment of the machine, by what was imported and not by spelling."""

import ast
from collections.abc import Iterator, Mapping

from source_tree import SourceFile

_CLOCK = "take a `ports.clock.Clock` as an argument"
_CHANCE = "take a `ports.clock.Chance` as an argument"
_SETTINGS = "add a setting to `entrypoints.settings`"

BANNED: Mapping[str, str] = {
    "time": _CLOCK,
    "datetime.date.today": _CLOCK,
    "datetime.datetime.now": _CLOCK,
    "datetime.datetime.today": _CLOCK,
    "datetime.datetime.utcnow": _CLOCK,
    "anyio.current_time": _CLOCK,
    "random": _CHANCE,
    "secrets": _CHANCE,
    "os.urandom": _CHANCE,
    "numpy.random": f"{_CHANCE}, or give `numpy.random.default_rng` a seed",
    "uuid.uuid1": "take a `Chance` and use `ports.clock.new_id`",
    "uuid.uuid4": "take a `Chance` and use `ports.clock.new_id`",
    "os.environ": _SETTINGS,
    "os.environb": _SETTINGS,
    "os.getenv": _SETTINGS,
    "os.getenvb": _SETTINGS,
    "os.putenv": _SETTINGS,
    "os.unsetenv": _SETTINGS,
    "dotenv": _SETTINGS,
}
"""Module or attribute, with everything below it, and what to use instead."""

_SEEDED = "numpy.random.default_rng"
_DETERMINISTIC = {"numpy.random.Generator"}


def banned_uses(source: SourceFile) -> Iterator[tuple[ast.AST, str, str]]:
    """Yield (node, full name, replacement) of each use of a banned name in a file."""
    imported = _imported_names(source.tree)
    seeded = {id(call.func) for call in ast.walk(source.tree) if isinstance(call, ast.Call) and call.args}
    inner = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Attribute | ast.Name) or id(node) in inner:
            continue
        name = _full_name(node, imported)
        if name in _DETERMINISTIC or (name == _SEEDED and id(node) in seeded):
            continue
        replacement = _replacement(name)
        if replacement:
            yield node, name, replacement


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Return what each imported local name stands for; imports inside functions count too."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            case ast.ImportFrom(module=str() as module, names=aliases, level=0):
                names |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in aliases}
    return names


def _full_name(node: ast.expr, imported: Mapping[str, str]) -> str:
    """Return the dotted name that an expression means, or nothing when it does not begin with an import."""
    match node:
        case ast.Name(id=name):
            return imported.get(name, "")
        case ast.Attribute(value=value, attr=attribute):
            owner = _full_name(value, imported)
            return f"{owner}.{attribute}" if owner else ""
        case _:
            return ""


def _replacement(name: str) -> str:
    return next((instead for banned, instead in BANNED.items() if f"{name}.".startswith(f"{banned}.")), "")
