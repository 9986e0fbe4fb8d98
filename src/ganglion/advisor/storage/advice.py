"""`advise storage`: what a buffer and an immutable store must hold, how long an outage may last, what it costs.

In an outage the outbox sheds whole classes of records in its own order: samples first, audit never.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext

from ganglion.advisor.fields import Section
from ganglion.advisor.figures import DIGITS, Figure, Origin, Question, computed, weakest
from ganglion.advisor.given import Field, Given, Reading, normal
from ganglion.advisor.ranges import Tree
from ganglion.advisor.storage.answer import ClassStorage, StorageAdvice
from ganglion.core.errors import FactsContradict, InvalidRequest
from ganglion.wire.records import RecordClass

_HOURS_PER_DAY = 24
_DAY = "Bytes that arrive in a day."
F = Field
_BYTES = F("bytes_per_day", "byte/day", _DAY, "2 GB/day",
           ("rate", "daily", "volume", "bytes_day", "data_rate", "daily_volume", "data_per_day", "ingest", "per_day",
           "data"),
           implied="/day")  # fmt: skip
_COUNT = F("records_per_day", "1/day", "Records that arrive in a day, with record_size.", "86400/day",
           ("records", "events_per_day", "items_per_day", "count_per_day", "records_rate"), implied="/day")  # fmt: skip
_SIZE = F(
    "record_size", "byte", "Bytes of one record.", "800 bytes", ("size", "event_size", "item_size", "bytes_per_record")
)
_RETENTION = F("retention", "day", "How long it is kept.", "30 days",
               ("keep", "retain", "retention_days", "retention_period", "kept"), bare="days",
               positive=True)  # fmt: skip
_COPIES = F(
    "copies", "count", "Copies of each byte.", "2", ("replicas", "replication", "replication_factor"), positive=True
)
_REDUCTION = F("reduction", "share", "Share of the bytes that compression or filtering takes away.", "60 %",
               ("compression", "dedup", "data_reduction", "filtered", "compression_saving"))  # fmt: skip
_OUTAGE = F("outage", "h", "The longest outage that the buffer must bear.", "72 hours",
            ("outage_hours", "buffer_time", "buffer_for", "longest_outage", "offline", "outage_duration"))  # fmt: skip
_LOCK = F("lock", "day", "How long nobody may delete or change it.", "90 days",
          ("lock_days", "immutable", "immutable_for", "worm", "object_lock", "lock_period", "immutability"),
          bare="days")  # fmt: skip
_CAPACITY = F("capacity", "byte", "Bytes that the outbox may hold.", "500 MB",
              ("outbox", "outbox_capacity", "buffer", "buffer_capacity", "local_buffer", "outbox_bytes_max", "cap",
              "buffer_size",
               "outbox_size"), positive=True)  # fmt: skip
_STORE = F(
    "store", "byte", "Bytes that the store has.", "2 TB", ("disk", "store_capacity", "disk_capacity", "store_size")
)
_PRICE = F("price", "CUR/GB/month", "Price of a stored GB.", "0.023 USD/GB/month",
           ("storage_price", "price_per_gb", "price_per_gb_month", "cost_per_gb_month", "gb_month_price"))  # fmt: skip
_PER_CLASS = (_BYTES, _COUNT, _SIZE, _RETENTION, _COPIES, _REDUCTION, _OUTAGE, _LOCK, _PRICE)
FIELDS = {"storage": (_CAPACITY, _STORE, *_PER_CLASS), "class": _PER_CLASS}
"""What the reference page lists; what stands beside `classes` is for each class that does not say otherwise."""
_CLASSES = {
    **{each.name.lower(): each for each in RecordClass},
    **{f"{each.name.lower()}s": each for each in RecordClass},
    "summaries": RecordClass.SUMMARY,
    "inputs": RecordClass.SAMPLE,
    "kept_inputs": RecordClass.SAMPLE,
    "inferences": RecordClass.RESULT,
    "predictions": RecordClass.RESULT,
    "alarms": RecordClass.EVENT,
}


@dataclass(frozen=True, slots=True)
class _Class:
    name: str
    of: RecordClass | None
    amounts: Mapping[str, Given]
    parity: Decimal
    bytes_day: Decimal | None

    def number(self, name: str, default: int) -> Decimal:
        return self.amounts[name].value if name in self.amounts else Decimal(default)

    @property
    def reduced(self) -> Decimal | None:
        """Bytes of a day after reduction."""
        return None if self.bytes_day is None else self.bytes_day * (1 - self.number("reduction", 0))

    @property
    def origin(self) -> Origin:
        return weakest(each.origin for each in self.amounts.values())


def advise(tree: Mapping[str, Tree]) -> StorageAdvice:
    """Return the answer to a case.

    Raises: InvalidRequest: what is unknown, malformed or without a unit. FactsContradict: a lock beyond the retention.
    """
    with localcontext(DIGITS):
        return _advise(tree)


def _advise(tree: Mapping[str, Tree]) -> StorageAdvice:
    reading = Reading()
    section = Section(tree, reading)
    name = section.text("name", "title")
    written = _date(section)
    section.text("note", "description")
    capacity, store = section.amount(_CAPACITY), section.amount(_STORE)
    parity = section.text("parity", "erasure_coding", "erasure", "raid")
    shared = {each.id: found for each in _PER_CLASS if (found := section.amount(each)) is not None}
    items = section.items("classes", "class", "data_classes", "streams") or _mapped(section)
    classes = [_read(each, shared, parity) for each in items]
    if not classes and {"bytes_per_day", "records_per_day"} & set(shared):
        classes = [_class(name or "data", shared, parity, reading)]
    section.finish()
    if not classes:
        reading.problems.append("classes: no class was given (as in '- {name: result, bytes_per_day: 2 GB/day}')")
    reading.finish()
    for each in classes:
        _check(each)
    return _answer_of(name, classes, capacity, store, written=written, reading=reading)


def _mapped(section: Section) -> list[Section]:
    """Return classes that were written as a mapping: `classes: {result: {...}}`."""
    entries = section.group("classes")
    found: dict[str, dict[str, Tree]] = {}
    for key, leaf in entries.items():
        head = next(
            (name for name in sorted(_CLASSES, key=len, reverse=True) if key.startswith(f"{name}_")),
            key.partition("_")[0],
        )
        found.setdefault(head, {})[key.removeprefix(f"{head}_")] = leaf
    return [Section({"name": head, **below}, section.reading, f"classes.{head}.") for head, below in found.items()]


def _date(section: Section) -> date | None:
    text = section.text("written", "date", "written_at", "start", "today", "lock_from")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        section.reading.problems.append(f"written: {text!r} is no date (as in '2026-01-31')")
        return None


def _read(section: Section, shared: Mapping[str, Given], parity: str) -> _Class:
    name = section.text("name", "class", "record_class", "kind") or "data"
    amounts = {**shared, **{each.id: found for each in _PER_CLASS if (found := section.amount(each)) is not None}}
    parity = section.text("parity", "erasure_coding", "erasure", "raid") or parity
    section.text("note")
    section.finish()
    return _class(name, amounts, parity, section.reading)


def _class(name: str, amounts: Mapping[str, Given], parity: str, reading: Reading) -> _Class:
    bytes_day = amounts["bytes_per_day"].value if "bytes_per_day" in amounts else None
    if bytes_day is None and {"records_per_day", "record_size"} <= set(amounts):
        bytes_day = amounts["records_per_day"].value * amounts["record_size"].value
    return _Class(name, _CLASSES.get(normal(name)), amounts, _parity(parity, reading), bytes_day)


def _parity(text: str, reading: Reading) -> Decimal:
    """Return what parity multiplies the bytes by: 4+2 is 1.5, 50 % is 1.5, and 1.5 is 1.5."""
    if not text:
        return Decimal(1)
    try:
        data, plus, extra = text.partition("+")
        if plus:
            return (Decimal(data) + Decimal(extra)) / Decimal(data)
        if text.rstrip().endswith("%"):
            return 1 + Decimal(text.rstrip(" %")) / 100
        factor = Decimal(text.rstrip("x "))
    except ArithmeticError:
        reading.problems.append(f"parity: {text!r} is no parity (as in '4+2', '50 %' or '1.5')")
        return Decimal(1)
    if not factor.is_finite() or factor < 1:
        reading.problems.append(f"parity: {text!r} would store less than there is (as in '4+2', '50 %' or '1.5')")
        return Decimal(1)
    return factor


def _check(each: _Class) -> None:
    amounts = each.amounts
    if {"lock", "retention"} <= set(amounts) and amounts["lock"].value > amounts["retention"].value:
        raise FactsContradict(
            f"{each.name}: it is locked for {amounts['lock'].text}, and kept for {amounts['retention'].text} only: "
            "what is locked cannot be deleted"
        )
    if each.number("reduction", 0) == 1:
        raise InvalidRequest(f"{each.name}: a reduction of 100 % leaves nothing to store")


def _answer_of(
    name: str,
    classes: Sequence[_Class],
    capacity: Given | None,
    store: Given | None,
    *,
    written: date | None,
    reading: Reading,
) -> StorageAdvice:
    shown = tuple(_class_storage(each, classes, capacity, written, reading.currency) for each in classes)
    totals = _totals(shown, classes, capacity, store)
    questions = tuple(_questions(classes, capacity))
    missing = [each for each in classes if each.bytes_day is None]
    small = _too_small(totals)
    status = "not_computable" if missing else "too_small" if small else "computed"
    order = sorted((each for each in classes if each.of is not None), key=lambda each: -int(each.of or 0))
    return StorageAdvice(
        name=name,
        status=status,
        answer=_words(totals, shown, small, missing),
        currency=reading.currency,
        figures=totals,
        classes=shown,
        shed_order=tuple(each.name for each in order if each.of is not RecordClass.AUDIT),
        questions=questions,
        assumptions=tuple(_assumptions(classes)),
    )


def _class_storage(
    each: _Class, classes: Sequence[_Class], capacity: Given | None, written: date | None, currency: str
) -> ClassStorage:
    figures = {
        name: computed(
            given.value, given.unit, "input", title=name.replace("_", " "), origin=given.origin, source=given.source
        )
        for name, given in each.amounts.items()
    }
    reduced = each.reduced
    if reduced is not None and "retention" in each.amounts:
        stored = reduced * each.amounts["retention"].value * each.number("copies", 1) * each.parity
        inputs = tuple(
            n
            for n in ("bytes_per_day", "records_per_day", "record_size", "retention", "copies", "reduction")
            if n in figures
        )
        figures["stored_bytes"] = computed(
            stored, "bytes", "stored_bytes", title="Stored", origin=each.origin, inputs=inputs
        )
        if "price" in each.amounts:
            cost = stored / 1_000_000_000 * each.amounts["price"].value
            figures["storage_month"] = computed(
                cost, f"{currency}/month", "storage_month", title="Cost of a month", origin=each.origin,
                inputs=("stored_bytes", "price"),
            )  # fmt: skip
    if reduced is not None and "outage" in each.amounts:
        need = reduced * each.amounts["outage"].value / _HOURS_PER_DAY
        figures["outage_buffer"] = computed(
            need,
            "bytes",
            "outage_buffer",
            title="Buffer for the outage",
            origin=each.origin,
            inputs=("bytes_per_day", "outage"),
        )
    hours = _hours_until_shed(each, classes, capacity)
    if hours is not None and capacity is not None:
        figures["hours_until_shed"] = computed(
            hours, "h", "hours_until_shed", title="Outage until it is shed",
            origin=weakest((each.origin, capacity.origin)),
            inputs=("capacity", "bytes_per_day"),
        )  # fmt: skip
    until = _locked_until(each, written)
    return ClassStorage(
        name=each.name,
        record_class=each.of.name.lower() if each.of is not None else "",
        figures=figures,
        never_shed=each.of is RecordClass.AUDIT,
        lock_until=until.isoformat() if until else "",
    )


def _locked_until(each: _Class, written: date | None) -> date | None:
    if written is None or "lock" not in each.amounts:
        return None
    try:
        return written + timedelta(days=float(each.amounts["lock"].value))
    except OverflowError as error:
        raise InvalidRequest(f"{each.name}: no calendar has the day on which this lock ends") from error


def _hours_until_shed(each: _Class, classes: Sequence[_Class], capacity: Given | None) -> Decimal | None:
    """Return after how many hours of an outage the outbox must give up bytes of a class.

    A class gives all it has before the next one gives anything: it holds out until those that are kept longer, and it,
    fill the outbox. For audit records, which are never shed, it is the time until the outbox is full of them.
    """
    if capacity is None or each.of is None or any(one.of is not None and one.reduced is None for one in classes):
        return None
    kept = sum((one.reduced or Decimal(0) for one in classes if one.of is not None and one.of <= each.of), Decimal(0))
    return capacity.value / (kept / _HOURS_PER_DAY) if kept else None


def _totals(
    shown: Sequence[ClassStorage], classes: Sequence[_Class], capacity: Given | None, store: Given | None
) -> dict[str, Figure]:
    totals: dict[str, Figure] = {}
    for key, title in (
        ("stored_bytes", "Stored by all classes"),
        ("outage_buffer", "Buffer that the outage needs"),
        ("storage_month", "Cost of a month"),
    ):
        found = [each.figures[key] for each in shown if key in each.figures]
        if found:
            value = sum((Decimal(figure.exact) for figure in found), Decimal(0))
            origin, inputs = (
                weakest(figure.origin for figure in found),
                tuple(each.name for each in shown if key in each.figures),
            )
            totals[key] = computed(value, found[0].unit, "sum", title=title, origin=origin, inputs=inputs)
    rates = [each.reduced for each in classes if each.reduced is not None]
    if rates:
        value = sum(rates, Decimal(0))
        totals["bytes_per_day"] = computed(
            value,
            "bytes/day",
            "sum",
            title="Bytes of a day after reduction",
            origin=weakest(each.origin for each in classes),
        )
    for key, given, need in (("capacity", capacity, "outage_buffer"), ("store", store, "stored_bytes")):
        if given is not None:
            totals[key] = computed(given.value, "bytes", "input", title=key, origin=given.origin)
            if need in totals:
                margin = given.value - Decimal(totals[need].exact)
                totals[f"{key}_margin"] = computed(
                    margin, "bytes", "margin", title=f"Margin of the {key}", origin=given.origin, inputs=(key, need)
                )
    return totals


def _too_small(totals: Mapping[str, Figure]) -> list[str]:
    return [
        name
        for name in ("capacity", "store")
        if f"{name}_margin" in totals and (totals[f"{name}_margin"].value or 0.0) < 0
    ]


def _words(
    totals: Mapping[str, Figure], shown: Sequence[ClassStorage], small: Sequence[str], missing: Sequence[_Class]
) -> str:
    if missing:
        return f"Not computable: bytes_per_day of {', '.join(each.name for each in missing)} is missing."
    parts = []
    if "stored_bytes" in totals:
        cost = f", for {totals['storage_month'].text}" if "storage_month" in totals else ""
        parts.append(f"The store holds {totals['stored_bytes'].text}{cost}.")
    if "outage_buffer" in totals:
        parts.append(f"The outage needs a buffer of {totals['outage_buffer'].text}.")
    for name in small:
        need = totals["outage_buffer" if name == "capacity" else "stored_bytes"]
        parts.append(f"The {name} of {totals[name].text} is too small: {need.text} is needed.")
    held = [each for each in shown if "hours_until_shed" in each.figures and not each.never_shed]
    if held:
        first = min(held, key=lambda each: each.figures["hours_until_shed"].value or 0.0)
        parts.append(f"In an outage {first.name} is shed first, after {first.figures['hours_until_shed'].text}.")
    return " ".join(parts) or "Nothing was asked: give retention, outage, or the capacity of the outbox."


def _questions(classes: Sequence[_Class], capacity: Given | None) -> Iterator[Question]:
    for each in classes:
        if each.bytes_day is None:
            yield Question(
                f"{each.name}.bytes_per_day", f"How many bytes of {each.name} arrive in a day?", ("stored_bytes",)
            )
        if "retention" not in each.amounts:
            yield Question(f"{each.name}.retention", f"For how many days is {each.name} kept?", ("stored_bytes",))
        if "price" not in each.amounts:
            yield Question(f"{each.name}.price", "What does a stored GB cost in a month?", ("storage_month",))
    if capacity is None:
        yield Question("capacity", "How many bytes may the outbox hold?", ("hours_until_shed",))


def _assumptions(classes: Sequence[_Class]) -> Iterator[str]:
    for each in classes:
        silent = [name for name in ("copies", "reduction") if name not in each.amounts]
        if silent:
            yield f"{each.name}: one copy, or no reduction, where {' and '.join(silent)} was not given"
    strange = [each.name for each in classes if each.of is None]
    if strange:
        classes_known = ", ".join(each.name.lower() for each in RecordClass)
        yield f"{', '.join(strange)} is none of the outbox's classes ({classes_known}): it is stored, and never shed"
