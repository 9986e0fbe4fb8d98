"""What nodes are told beside models: settings of the fleet, of a site and of a node, the narrower one wins. No I/O."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.wire.desired import AgentOptions, CollectionSettings

_COLLECTION, _AGENT = "collection.", "agent."
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


@dataclass(frozen=True, slots=True)
class Chosen:
    """One setting's value, as JSON text, and who chose it."""

    value: str
    source: str
    """default, fleet, site NAME or node NAME."""


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


def explained(documents: Documents, *, node_id: str, name: str, site: str) -> dict[str, Chosen]:
    """Return every setting of a node with its source."""
    layers: list[tuple[str, Mapping[str, msgspec.Raw]]] = [
        ("fleet", documents.fleet),
        (f"site {site}", documents.sites.get(site, {})),
        (f"node {name}", documents.nodes.get(node_id, {})),
    ]
    chosen = {key: Chosen(text, "default") for key, text in _defaults().items()}
    for source, layer in layers:
        # A key that this release does not know any more is kept, and has no effect.
        chosen |= {key: Chosen(bytes(raw).decode(), source) for key, raw in layer.items() if key in chosen}
    return chosen


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
        is_share = key.endswith(("_share", "_below"))
        if not math.isfinite(value) or not 0 <= value <= (1 if is_share else 2**53):
            raise InvalidRequest(f"{key}: {value} is not {'between 0 and 1' if is_share else 'a possible number'}")
    if key == "agent.log_level" and value not in LOG_LEVELS:
        raise InvalidRequest(f"{key} is one of {', '.join(LOG_LEVELS[1:])}, or empty for the node's own")
