"""How a model version behaves, in counts that add up: what probation, rollups and gates look at.

Everything here merges by integer addition, so one node's minute and a fleet's week have the same shape.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import add

import msgspec

from ganglion.core import input_counts, quality_counts
from ganglion.core.errors import InvalidRequest
from ganglion.core.histogram import Histogram

CONFIDENCE_BINS = 20
CLASSES_MAX = 256
OTHER_CLASS = "(other)"
_COUNT_MAX = 2**53


class Behaviour(msgspec.Struct):
    """Counts of answered requests. Mutable: `count` and `merge` work in place."""

    requests: int = 0
    errors: int = 0
    latency_us: Histogram = msgspec.field(default_factory=Histogram)
    confidence: list[int] = msgspec.field(default_factory=lambda: [0] * CONFIDENCE_BINS)
    """Rows by confidence, equal bins over [0, 1]."""
    classes: dict[str, int] = {}
    """Rows by predicted label; beyond CLASSES_MAX labels the rest is counted as OTHER_CLASS."""
    compared: int = 0
    agreed: int = 0
    compared_latency_us: Histogram = msgspec.field(default_factory=Histogram)
    """Latency of the previous version on the requests that it answered for comparison."""
    compared_failed: int = 0
    """Requests that the other version could not answer when it was asked for comparison."""
    quality: dict[str, list[int]] = {}
    """Inputs that were looked at, by measure, counted over the edges of `core.quality_counts`."""
    inputs: dict[str, list[int]] = {}
    """Rows that were looked at, by figure of the input, counted over the edges of the package: below all, between,
    above all."""
    compared_confidence: list[int] = []
    """Rows by the confidence of the other version, when it was asked for comparison; bins as above, or none at all."""

    def count_answer(self, latency_us: int, labels: Sequence[str], confidences: Sequence[float]) -> None:
        """Count one request that the model answered."""
        self.requests += 1
        self.latency_us.add(latency_us)
        for label, confidence in zip(labels, confidences, strict=True):
            self._count_class(label, 1)
            self.confidence[confidence_bin(confidence)] += 1

    def count_answers(self, latencies_us: Sequence[int], labels: Iterable[str], confidences: Iterable[float]) -> None:
        """Count many answered requests at once; the labels and confidences are those of all their rows."""
        self.requests += len(latencies_us)
        for latency_us, count in Counter(latencies_us).items():
            self.latency_us.add(latency_us, count)
        for label, count in Counter(labels).items():
            self._count_class(label, count)
        for index, count in Counter(map(confidence_bin, confidences)).items():
            self.confidence[index] += count

    def count_error(self) -> None:
        """Count one request that the model could not answer."""
        self.requests += 1
        self.errors += 1

    def count_comparison(self, compared: int, agreed: int, latency_us: int) -> None:
        """Count rows that the previous version answered too."""
        self.compared += compared
        self.agreed += agreed
        if compared:
            self.compared_latency_us.add(latency_us)

    def count_heard(self, confidences: Sequence[float]) -> None:
        """Count how sure the other version was of rows that it answered for comparison."""
        if confidences and not self.compared_confidence:
            self.compared_confidence = [0] * CONFIDENCE_BINS
        for confidence in confidences:
            self.compared_confidence[confidence_bin(confidence)] += 1

    def count_quality(self, measures: Mapping[str, float]) -> None:
        """Count one input that was looked at."""
        quality_counts.count(self.quality, measures)

    def count_input(self, found: Mapping[str, tuple[int, int]]) -> None:
        """Count one row that was looked at: by figure its bin, and how many bins there are."""
        input_counts.count(self.inputs, found)

    def check(self) -> None:
        """Refuse counts that no counting makes. Raises: InvalidRequest."""
        counts = [self.requests, self.errors, self.compared, self.agreed, self.compared_failed]
        counts += [*self.confidence, *self.compared_confidence, *self.classes.values()]
        if min(counts) < 0 or max(counts) > _COUNT_MAX or len(self.confidence) != CONFIDENCE_BINS:
            raise InvalidRequest("the counts of a behaviour are not negative, and its confidences have their bins")
        if len(self.compared_confidence) not in (0, CONFIDENCE_BINS):
            raise InvalidRequest("the confidences of comparisons have their bins, or there are none")
        if self.errors > self.requests or self.agreed > self.compared or len(self.classes) > CLASSES_MAX + 1:
            raise InvalidRequest("the counts of a behaviour contradict each other")
        for histogram in (self.latency_us, self.compared_latency_us):
            histogram.check()
        quality_counts.check(self.quality)
        input_counts.check(self.inputs)

    def merge(self, other: "Behaviour") -> None:
        """Add `other`'s counts to these."""
        self.requests += other.requests
        self.errors += other.errors
        self.latency_us.merge(other.latency_us)
        self.compared += other.compared
        self.agreed += other.agreed
        self.compared_failed += other.compared_failed
        self.compared_latency_us.merge(other.compared_latency_us)
        self.confidence[:] = map(add, self.confidence, other.confidence)
        if other.compared_confidence:
            own = self.compared_confidence or [0] * CONFIDENCE_BINS
            self.compared_confidence = list(map(add, own, other.compared_confidence))
        if len(self.classes) + len(other.classes) <= CLASSES_MAX:
            for label, count in other.classes.items():
                self.classes[label] = self.classes.get(label, 0) + count
        else:
            for label, count in other.classes.items():
                self._count_class(label, count)
        quality_counts.merge(self.quality, other.quality)
        input_counts.merge(self.inputs, other.inputs)

    def _count_class(self, label: str, count: int) -> None:
        known = label in self.classes or len(self.classes) < CLASSES_MAX
        name = label if known else OTHER_CLASS
        self.classes[name] = self.classes.get(name, 0) + count

    @property
    def error_rate(self) -> float:
        """Return the share of requests that failed; 0 when there were none."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def agreement(self) -> float:
        """Return the share of compared rows with equal labels; 1 when none was compared."""
        return self.agreed / self.compared if self.compared else 1.0


def confidence_bin(confidence: float) -> int:
    """Return the bin of a confidence; values outside [0, 1], and NaN, go to the nearest or lowest bin."""
    if not confidence > 0.0:
        return 0
    return min(int(min(confidence, 1.0) * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)
