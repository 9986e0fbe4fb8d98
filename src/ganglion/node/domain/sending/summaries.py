"""Counts in place of records: what a node sends of the results that are not sent one by one. Pure.

Summaries of one version merge by addition, so that a long outage costs a bounded size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import InvalidRequest
from ganglion.wire import codec
from ganglion.wire.records import ComparisonRecord, RecordClass, ResultRecord, SummaryRecord, is_map

MINUTE_NS = 60 * 1_000_000_000


class LookRecord(msgspec.Struct, frozen=True, gc=False):
    """What was measured of one input's quality, on its way from the serving process to the agent, which counts it.

    Class SUMMARY, and a map: only the agent makes a `SummaryRecord`, so the journal holds none. It never leaves a node.
    """

    model: str
    version: str
    measures: dict[str, float]
    inputs: dict[str, tuple[int, int]] = {}
    """By figure of the input the row's bin over the package's edges, and how many bins there are."""


class OpenMinute(msgspec.Struct):
    """Counts of one version in a minute that is not over."""

    model: str
    version: str
    minute: int
    behaviour: Behaviour


@dataclass(slots=True)
class Folding:
    """Decides which records are sent as they are, and counts the others. Mutable."""

    minutes: list[OpenMinute] = field(default_factory=list)
    _seen: int = 0

    def keep(self, record_class: RecordClass, payload: bytes, *, at_ns: int, results_share: float) -> bool:
        """Tell whether a record is to be sent as it is; if not, it is in the counts now.

        What was measured of inputs is always counted. Results are thinned out evenly. Failures, and what cannot be
        read here, are sent as they are.
        """
        if record_class is RecordClass.SUMMARY and is_map(payload):
            return not self._is_counted_look(payload, at_ns)
        if results_share >= 1.0 or record_class not in {RecordClass.RESULT, RecordClass.SUMMARY}:
            return True
        content = _read(record_class, payload)
        if isinstance(content, ComparisonRecord):
            behaviour = self._minute(content, at_ns)
            behaviour.count_comparison(content.compared, content.agreed, content.latency_us)
            behaviour.count_heard(content.confidences)
            return False
        if content is None or content.error or self._is_chosen(results_share):
            return True
        self._minute(content, at_ns).count_answer(content.latency_us, content.labels, content.confidences)
        return False

    def close(self, *, now_ns: int) -> list[SummaryRecord]:
        """Take out the summaries of the minutes that are over."""
        this_minute = now_ns // MINUTE_NS
        # A clock that was put back must not keep a minute open for years.
        over = [each for each in self.minutes if each.minute != this_minute]
        self.minutes = [each for each in self.minutes if each.minute == this_minute]
        return [
            SummaryRecord(
                each.model, each.version, each.minute * MINUTE_NS, (each.minute + 1) * MINUTE_NS, each.behaviour
            )
            for each in over
        ]

    def _is_counted_look(self, payload: bytes, at_ns: int) -> bool:
        try:
            look = codec.decode_packed(payload, LookRecord)
        except InvalidRequest:
            return False
        behaviour = self._minute(look, at_ns)
        behaviour.count_quality(look.measures)
        behaviour.count_input(look.inputs)
        return True

    def _is_chosen(self, share: float) -> bool:
        self._seen += 1
        return int(self._seen * share) > int((self._seen - 1) * share)

    def _minute(self, content: ResultRecord | ComparisonRecord | LookRecord, at_ns: int) -> Behaviour:
        minute = at_ns // MINUTE_NS
        for each in self.minutes:
            if (each.minute, each.version, each.model) == (minute, content.version, content.model):
                return each.behaviour
        self.minutes.append(OpenMinute(content.model, content.version, minute, Behaviour()))
        return self.minutes[-1].behaviour


def merge(summaries: Sequence[SummaryRecord]) -> SummaryRecord:
    """Return one summary of the same version in place of many; the newest one's figures of the machine are kept."""
    behaviour = Behaviour()
    for summary in summaries:
        behaviour.merge(summary.behaviour)
    newest = max(summaries, key=lambda summary: summary.ended_ns)
    return msgspec.structs.replace(
        newest,
        began_ns=min(summary.began_ns for summary in summaries),
        ended_ns=newest.ended_ns,
        behaviour=behaviour,
    )


def merge_payloads(payloads: Iterable[tuple[int, bytes]]) -> dict[int, tuple[bytes, list[int]]]:
    """Plan the merging of numbered summaries: by the last number of each version, its new payload and what it takes in.

    Comparisons, and what cannot be read, are left alone.
    """
    groups: dict[tuple[str, str], list[tuple[int, SummaryRecord]]] = {}
    for seq, payload in payloads:
        summary = _read_summary(payload)
        if summary is not None:
            groups.setdefault((summary.model, summary.version), []).append((seq, summary))
    return {
        group[-1][0]: (codec.encode_packed(merge([summary for _, summary in group])), [seq for seq, _ in group[:-1]])
        for group in groups.values()
        if len(group) > 1
    }


def _read(record_class: RecordClass, payload: bytes) -> ResultRecord | ComparisonRecord | None:
    try:
        if record_class is RecordClass.RESULT:
            return codec.decode_packed(payload, ResultRecord)
        return None if is_map(payload) else codec.decode_packed(payload, ComparisonRecord)
    except InvalidRequest:
        return None


def _read_summary(payload: bytes) -> SummaryRecord | None:
    try:
        return codec.decode_packed(payload, SummaryRecord) if is_map(payload) else None
    except InvalidRequest:
        return None
