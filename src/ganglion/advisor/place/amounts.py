"""Reads the quantities of a workload or a tier, where one word may stand for two fields and its unit says for which."""

from dataclasses import replace

from ganglion.advisor.fields import Section
from ganglion.advisor.given import Field, Given


def amounts_of(section: Section, fields: tuple[Field, ...]) -> dict[str, Given]:
    """Read the fields; where one word stands for two of them, its unit says for which."""
    found: dict[str, Given] = {}
    for each in fields:
        given = section.amount(_field_for(section, each))
        if given is not None:
            found[each.id] = given
    return found


_SHARED = {"burst", "price", "cost"}
"""Words that stand for several fields."""


def _field_for(section: Section, of: Field) -> Field:
    """Return a field without the words that, by their unit, stand for another one here."""
    if not _SHARED & {of.id, *of.names}:
        return of
    names = [name for name in (of.id, *of.names) if _is_for(section, of, name)]
    # A field that has no name of its own left keeps one that nobody writes.
    first, *others = names or [f"{of.id}_by_another_unit"]
    return replace(of, id=first, names=tuple(others))


def _is_for(section: Section, wanted: Field, name: str) -> bool:
    if name == "burst":
        return section.measures("s", name) == (wanted.id == "peak_rate")
    if name in {"price", "cost"}:
        is_hourly = section.measures("s", name) and _is_hourly(section, name)
        is_monthly = section.measures("s", name) and not is_hourly
        return {"price": is_monthly, "price_per_hour": is_hourly}.get(wanted.id, not is_hourly and not is_monthly)
    return True


def _is_hourly(section: Section, name: str) -> bool:
    text = str(section.peek(name)).lower()
    return any(word in text for word in ("/h", "hour", "per h"))
