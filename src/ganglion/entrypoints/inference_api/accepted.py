"""Which form of an answer a client would rather have, by its Accept header."""

import re

_WEIGHT = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")


def prefers(accept: bytes, wanted: str, *, parameters: tuple[str, ...], default: str) -> bool:
    """Say whether `accept` names the media type `wanted`, with these parameters, and no less gladly than `default`."""
    weights: dict[str, float] = {}
    for item in accept.decode("latin-1").lower().split(","):
        media_type, *rest = [part.replace(" ", "").replace('"', "") for part in item.split(";")]
        told = {part for part in rest if not part.startswith("q=")}
        if media_type != wanted or told >= {parameter.lower() for parameter in parameters}:
            weights[media_type] = max(weights.get(media_type, 0.0), _weight(rest))
    weight = weights.get(wanted, 0.0)
    return weight > 0.0 and weight >= weights.get(default, 0.0)


def _weight(parts: list[str]) -> float:
    """Return the weight of an item; one that cannot be read is worth nothing."""
    weight = next((part[2:] for part in parts if part.startswith("q=")), "1")
    return float(weight) if _WEIGHT.match(weight) else 0.0
