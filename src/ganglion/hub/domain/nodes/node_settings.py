"""What nodes are told beside models: settings, of which the narrower one wins. No I/O.

The order, from wide to narrow: default, fleet, group, site, node. Of several groups the one with the higher priority
wins; where that is equal, the one whose name comes later.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from ganglion.core import trigger_rule
from ganglion.core.errors import InvalidRequest
from ganglion.wire.desired import AgentOptions, CollectionSettings

_COLLECTION, _AGENT = "collection.", "agent."
_TIME_ZONE = "agent.time_zone"
_TEXT_MAX = 2000
LOG_LEVELS = ("", "debug", "info", "warning", "error")

Layer = dict[str, msgspec.Raw]
"""Values by key, each the JSON of the field's type."""


class Documents(msgspec.Struct, frozen=True):
    """Everything that people set, as it is stored."""

    fleet: Layer = {}
    sites: dict[str, Layer] = {}
    nodes: dict[str, Layer] = {}
    """By node id."""
    groups: dict[str, Layer] = {}
    priorities: dict[str, int] = {}
    """Of groups; those that are missing have 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The node that settings are for."""

    node_id: str
    name: str
    site: str
    groups: tuple[str, ...] = ()
    """In any order."""
    site_zone: str = ""
    """The time zone that was declared for its site; empty: none."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One setting's value, as JSON text, and who chose it."""

    value: str
    source: str
    """default, fleet, group NAME, site NAME or node NAME."""
    overridden: tuple[tuple[str, str], ...] = ()
    """(source, value) of what this one is chosen over, the nearest first."""


def settable() -> list[str]:
    """Return every key that can be set."""
    return sorted(_types())


def parsed(key: str, text: str) -> msgspec.Raw:
    """Return the JSON of a value that a person wrote as `text`. Raises: InvalidRequest: no such key, or no such value.

    A list is written as JSON, or as its items with commas between them.
    """
    kind = _types().get(key)
    if kind is None:
        raise InvalidRequest(f"there is no setting {key[:80]!r}; there are {', '.join(settable())}")
    if len(text) > _TEXT_MAX:
        raise InvalidRequest(f"{key}: a value has at most {_TEXT_MAX} characters")
    for attempt in (_from_json, _from_text, _from_items):
        try:
            value = attempt(text, kind)
        except (msgspec.MsgspecError, UnicodeError):
            continue
        _check(key, value)
        return msgspec.Raw(msgspec.json.encode(value))
    raise InvalidRequest(f"{key}: {text[:80]!r} is no possible value")


def explained(documents: Documents, whose: Whose) -> dict[str, Chosen]:
    """Return every setting of a node with its source, and what that overrides."""
    chosen = {key: Chosen(text, "default") for key, text in _defaults().items()}
    for source, layer in _layers(documents, whose):
        for key, raw in layer.items():
            # A key that this release does not know any more is kept, and has no effect.
            if key in chosen:
                wider = chosen[key]
                chosen[key] = Chosen(bytes(raw).decode(), source, ((wider.source, wider.value), *wider.overridden))
    return chosen


def _layers(documents: Documents, whose: Whose) -> Iterator[tuple[str, Layer]]:
    """Yield every layer of a node, from wide to narrow."""
    yield "fleet", documents.fleet
    for name in sorted(whose.groups, key=lambda name: (documents.priorities.get(name, 0), name)):
        yield f"group {name}", documents.groups.get(name, {})
    if whose.site_zone:
        yield f"site {whose.site}", {_TIME_ZONE: msgspec.Raw(msgspec.json.encode(whose.site_zone))}
    yield f"site {whose.site}", documents.sites.get(whose.site, {})
    yield f"node {whose.name}", documents.nodes.get(whose.node_id, {})


def collection_of(chosen: Mapping[str, Chosen]) -> CollectionSettings:
    """Return the collection settings among all."""
    return msgspec.json.decode(_document(chosen, _COLLECTION), type=CollectionSettings)


def agent_of(chosen: Mapping[str, Chosen]) -> AgentOptions:
    """Return the agent's options among all."""
    return msgspec.json.decode(_document(chosen, _AGENT), type=AgentOptions)


def changed(layer: Layer, *, put: Mapping[str, msgspec.Raw], drop: list[str]) -> Layer:
    """Return a layer with some values set and others left to the wider one."""
    return {key: raw for key, raw in (layer | dict(put)).items() if key not in drop}


def _document(chosen: Mapping[str, Chosen], prefix: str) -> str:
    parts = [f'"{key.removeprefix(prefix)}":{each.value}' for key, each in chosen.items() if key.startswith(prefix)]
    return "{" + ",".join(parts) + "}"


def _types() -> dict[str, object]:
    sections = ((_COLLECTION, CollectionSettings), (_AGENT, AgentOptions))
    return {f"{prefix}{each.name}": each.type for prefix, kind in sections for each in msgspec.structs.fields(kind)}


def _defaults() -> dict[str, str]:
    sections = ((_COLLECTION, CollectionSettings()), (_AGENT, AgentOptions()))
    return {
        f"{prefix}{name}": msgspec.json.encode(getattr(value, name)).decode()
        for prefix, value in sections
        for name in value.__struct_fields__
    }


def _from_json(text: str, kind: object) -> object:
    return msgspec.json.decode(text.encode(), type=kind)


def _from_text(text: str, kind: object) -> object:
    return msgspec.convert(text, type=kind)


def _from_items(text: str, kind: object) -> object:
    return msgspec.convert([item for item in text.split(",") if item], type=kind)


def _check(key: str, value: object) -> None:
    if isinstance(value, float | int):
        is_share = key.endswith(("_share", "_below", "_above"))
        if not math.isfinite(value) or not 0 <= value <= (1 if is_share else 2**53):
            raise InvalidRequest(f"{key}: {value} is not {'between 0 and 1' if is_share else 'a possible number'}")
    if key == "collection.keep_when":
        trigger_rule.parse(str(value))
    if key == "agent.log_level" and value not in LOG_LEVELS:
        raise InvalidRequest(f"{key} is one of {', '.join(LOG_LEVELS[1:])}, or empty for the node's own")
