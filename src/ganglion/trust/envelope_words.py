"""What an envelope says and what a new one changes, in lines for the person who is about to sign it."""

from collections.abc import Iterator

import msgspec

from ganglion.core.errors import InvalidRequest

_LINES_MAX = 400


def lines_of(document: bytes) -> dict[str, str]:
    """Return every value of an envelope by its place: `limits.settings.agent.report_s.max`. Raises: InvalidRequest."""
    try:
        return dict(_flat("", msgspec.json.decode(document)))
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"the envelope is no JSON: {error}") from error


def changes(before: bytes, after: bytes) -> list[str]:
    """Return one line for each value that is new, gone, or another. Raises: InvalidRequest."""
    old, new = lines_of(before), lines_of(after)
    found = [f"{key} no longer says {value}" for key, value in old.items() if key not in new]
    for key, value in new.items():
        if key not in old:
            found.append(f"{key} = {value}")
        elif old[key] != value:
            found.append(f"{key} = {value} (before: {old[key]})")
    if len(found) > _LINES_MAX:
        return [*found[:_LINES_MAX], f"and {len(found) - _LINES_MAX} more: read the file before you sign"]
    return found or ["says what it said before"]


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            # Nothing in a document writes to the terminal of who reads it.
            plain = str(key).encode("unicode_escape").decode()
            yield from _flat(f"{path}.{plain}" if path else plain, item)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for name, item in zip(_names(value), value, strict=True):
            yield from _flat(f"{path}[{name}]", item)
    elif path:
        yield path, msgspec.json.encode(value).decode()


def _names(items: list[dict[str, object]]) -> list[str]:
    """A name tells more than a place, where no two have the same: a list in another order has not changed."""
    names = [item.get("name") for item in items]
    is_named = len({name for name in names if isinstance(name, str)}) == len(items)
    return [repr(name) for name in names] if is_named else [str(number + 1) for number in range(len(items))]
