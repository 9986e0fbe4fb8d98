"""What `ganglion advise storage` answers. These structs are its published JSON."""

import msgspec

from ganglion.advisor.figures import SCHEMA_VERSION, Figure, Question


class ClassStorage(msgspec.Struct, frozen=True, kw_only=True):
    """What one class of records needs."""

    name: str
    record_class: str
    """The class of the outbox: audit, event, result, summary or sample; empty when the name is none of them."""
    figures: dict[str, Figure]
    never_shed: bool = False
    lock_until: str = ""
    """The date until which what was written on `written` may not be changed; empty without a lock or a date."""


class StorageAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a storage case."""

    kind: str = "storage"
    schema_version: int = SCHEMA_VERSION
    name: str = ""
    status: str
    """computed; too_small: a capacity that was given does not suffice; not_computable: a fact is missing."""
    answer: str
    currency: str = ""
    figures: dict[str, Figure]
    """Totals over all classes."""
    classes: tuple[ClassStorage, ...]
    shed_order: tuple[str, ...] = ()
    """Classes in the order in which a full outbox gives them up."""
    questions: tuple[Question, ...] = ()
    assumptions: tuple[str, ...] = ()
