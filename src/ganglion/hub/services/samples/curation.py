"""Samples, the words of people on them, and the data sets built from both.

Samples lie in the telemetry database, labels in the control database: whatever needs both asks one
after the other. A label is never changed; the newest counts.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
import structlog

from ganglion.core import npy
from ganglion.core.errors import InvalidRequest, NotFound, TooLarge
from ganglion.core.ids import Digest, parse_name
from ganglion.hub.domain.records import datasets, sample_inputs
from ganglion.hub.domain.records.datasets import LabelledSample
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.samples import labelled_answers, stored_samples
from ganglion.hub.services.samples.stored_samples import Wanted
from ganglion.ports.artifacts import ArtifactStore
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, DatasetRow, LabelRow
from ganglion.ports.telemetry_store import SampleRow, TelemetryStore
from ganglion.wire.resources import DatasetManifest, DatasetRequest, DatasetView, LabelRequest, SampleView
from ganglion.wire.rollout_resources import JudgedVersion

log = structlog.get_logger()

_JUDGED_MAX = 200
"""Answers that are kept until the next label."""


class CurationLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of samples and labels is handled at once."""

    samples_max: int = 1000
    """Most samples that one question is answered with."""
    page_bytes_max: int = 4_000_000
    """Most input bytes that one question is answered with; one sample is always given."""
    values_shown_max: int = 65_536
    """An input with more values is listed without them."""
    labels_max: int = 10_000
    """Most labels in one request."""
    label_length_max: int = 200
    """Longest label, in characters."""
    dataset_bytes_max: int = 2_000_000_000
    """Most input bytes in one data set: it is put together in memory."""


class Curation:
    """From kept inputs to data sets. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        telemetry: TelemetryStore,
        artifacts: ArtifactStore,
        clock: Clock,
        limits: CurationLimits | None = None,
    ) -> None:
        self._control = control
        self._telemetry = telemetry
        self._artifacts = artifacts
        self._clock = clock
        self._limits = limits or CurationLimits()
        self._judged: dict[tuple[str, float], list[JudgedVersion]] = {}
        """By model and time: a watched rollout is asked for every second, and only a label changes the answer."""

    def samples(
        self,
        *,
        model: str | None = None,
        node_id: str | None = None,
        unlabelled: bool = False,
        reason: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[SampleView]:
        """Return samples with their labels, newest first; only those without one, or kept for one reason, if asked so.

        Fewer than `limit` are returned when their inputs are large; `before` names the sample after which to go on. A
        node may be given by its name too. Raises: NotFound: no such node or sample. InvalidRequest: the limit is out
        of range.
        """
        if not 1 <= limit <= self._limits.samples_max:
            raise InvalidRequest(f"limit lies between 1 and {self._limits.samples_max}, not at {limit}")
        if node_id is not None:
            node_id = self._node_id(node_id)
        last = None if before is None else self._sample(before)
        wanted = Wanted(
            model=model,
            node_id=node_id,
            unlabelled=unlabelled,
            reason=reason,
            before=None if last is None else (last.corrected_at_ns, last.sample_id),
            limit=limit,
            bytes_max=self._limits.page_bytes_max,
        )
        return self._views(stored_samples.find(self._control, self._telemetry, wanted))

    def sample(self, sample_id: str) -> SampleView:
        """Return one sample. Raises: NotFound."""
        (view,) = self._views([self._sample(sample_id)])
        return view

    def _sample(self, sample_id: str) -> SampleRow:
        with self._telemetry.read() as tx:
            found = tx.samples(sample_ids=[sample_id], limit=1)
        if not found:
            raise NotFound(f"no sample has the id {sample_id[:200]!r}")
        return found[0]

    def _views(self, found: Sequence[SampleRow]) -> list[SampleView]:
        with self._control.read() as tx:
            labels = tx.labels([row.sample_id for row in found])
            names = _node_names(tx, found)
        return [self._view(row, names[row.node_id], labels.get(row.sample_id)) for row in found]

    def label(self, requests: Sequence[LabelRequest], *, by: str) -> int:
        """Store labels, all or none, and return how many were new; the same word of the same person is not.

        Raises: InvalidRequest, NotFound: no such sample.
        """
        self._check_labels(requests)
        ids = list(dict.fromkeys(request.sample_id for request in requests))
        known = {row.sample_id for row in stored_samples.among(self._telemetry, ids)}
        missing = next((sample_id for sample_id in ids if sample_id not in known), None)
        if missing is not None:
            raise NotFound(f"no sample has the id {missing[:200]!r}")
        with self._control.write() as tx:
            stored = sum(_add_label(tx, request, by, utc_s(self._clock)) for request in requests)
            if stored:
                audit.note(tx, self._clock, Deed(actor=by, action="samples.labelled", facts={"labels": str(stored)}))
        self._judged = {}
        return stored

    def judged(self, model: str, *, since_s: float) -> list[JudgedVersion]:
        """Return by version how many answers since then people have called right, of those that chance has kept."""
        # A label that comes meanwhile begins a new one: what is found here is then kept in one that nobody reads.
        known = self._judged
        found = known.get((model, since_s))
        if found is None:
            found = self._judge(model, since_s)
            if len(known) >= _JUDGED_MAX:
                known.clear()
            known[model, since_s] = found
        return found

    def _judge(self, model: str, since_s: float) -> list[JudgedVersion]:
        labelled = Counter[str]()
        right = Counter[str]()
        for answer in labelled_answers.labelled(self._control, self._telemetry, model=model, since_s=since_s):
            labelled[answer.version] += 1
            right[answer.version] += answer.is_right
        return [JudgedVersion(version, right[version], labelled[version]) for version in sorted(labelled)]

    def build_dataset(self, request: DatasetRequest, *, by: str = "hub") -> DatasetView:
        """Build the next version from every labelled sample of the model, or return the newest if it has the same.

        Raises: InvalidName, NotFound: nothing is labelled, Conflict: the samples do not fit each other, TooLarge.
        """
        parse_name(request.name, what="data set")
        parse_name(request.model, what="model")
        manifest = self._store_content(request, self._labelled(request.model))
        with self._control.write() as tx:
            newest = next(iter(tx.datasets(request.name)), None)
            if newest and datasets.digest_of(datasets.numbered(manifest, newest.version)) == newest.sha256:
                return _dataset_view(newest)
            row = self._store_version(datasets.numbered(manifest, newest.version + 1 if newest else 1))
            tx.add_dataset(row)
            facts = {"version": str(row.version), "sha256": row.sha256}
            audit.note(tx, self._clock, Deed(actor=by, action="dataset.built", subject=row.name, facts=facts))
        log.info("dataset.built", dataset=row.name, version=row.version, samples=row.samples)
        return _dataset_view(row)

    def datasets(self, name: str | None = None) -> list[DatasetView]:
        """Return data set versions, newest first."""
        with self._control.read() as tx:
            return [_dataset_view(row) for row in tx.datasets(name)]

    def dataset_manifest(self, name: str, version: int) -> DatasetManifest:
        """Return what a version holds. Raises: NotFound, DataCorrupt."""
        with self._control.read() as tx:
            row = next((row for row in tx.datasets(name) if row.version == version), None)
        if row is None:
            raise NotFound(f"data set {name[:80]!r} has no version {version}")
        return datasets.decode(self._artifacts.read(Digest(row.sha256)))

    def _node_id(self, text: str) -> str:
        with self._control.read() as tx:
            node = tx.node(text) or tx.node_by_name(text)
        if node is None:
            raise NotFound(f"no node has the id or the name {text[:80]!r}")
        return node.node_id

    def _labelled(self, model: str) -> list[LabelledSample]:
        with self._control.read() as tx:
            labels = tx.labels()
        found: list[LabelledSample] = []
        size_bytes = 0
        for row in stored_samples.among(self._telemetry, list(labels), model=model):
            size_bytes += len(row.inputs)
            if size_bytes > self._limits.dataset_bytes_max:
                raise TooLarge(f"the samples have more than {self._limits.dataset_bytes_max} bytes")
            found.append(LabelledSample(row.sample_id, labels[row.sample_id].label, sample_inputs.unpack(row.inputs)))
        if not found:
            raise NotFound(f"no sample of the model {model!r} is labelled")
        return datasets.in_order(found)

    def _store_content(self, request: DatasetRequest, samples: Sequence[LabelledSample]) -> DatasetManifest:
        """Store the tensors, and return the manifest, not numbered yet."""
        stacked = datasets.stack(samples)
        return DatasetManifest(
            name=request.name,
            version=0,
            model=request.model,
            inputs={
                name: datasets.describe(tensor, self._artifacts.put(npy.encode(tensor)))
                for name, tensor in stacked.items()
            },
            labels=[sample.label for sample in samples],
            samples=[sample.sample_id for sample in samples],
        )

    def _store_version(self, manifest: DatasetManifest) -> DatasetRow:
        """Store the manifest first: a row must never name content that is not there."""
        return DatasetRow(
            name=manifest.name,
            version=manifest.version,
            sha256=self._artifacts.put(datasets.encode(manifest)),
            samples=len(manifest.samples),
            built_at_s=utc_s(self._clock),
        )

    def _check_labels(self, requests: Sequence[LabelRequest]) -> None:
        if len(requests) > self._limits.labels_max:
            raise InvalidRequest(f"{len(requests)} labels at once, at most {self._limits.labels_max} are taken")
        for request in requests:
            fits = 0 < len(request.label) <= self._limits.label_length_max
            if not fits or not request.label.isprintable() or request.label != request.label.strip():
                raise InvalidRequest(
                    f"the label of {request.sample_id[:200]!r} must be 1 to {self._limits.label_length_max} "
                    "printable characters without spaces around them"
                )

    def _view(self, row: SampleRow, node: str, label: LabelRow | None) -> SampleView:
        inputs = sample_inputs.unpack(row.inputs)
        shown_max = self._limits.values_shown_max
        return SampleView(
            sample_id=row.sample_id,
            node=node,
            at_s=row.corrected_at_ns / 1e9,
            model=row.model,
            version=row.version,
            request_id=row.request_id,
            reason=row.reason,
            prediction=row.label,
            confidence=row.confidence,
            label=label.label if label else "",
            inputs={name: sample_inputs.view_of(name, tensor, values_max=shown_max) for name, tensor in inputs.items()},
        )


def _add_label(tx: ControlTransaction, request: LabelRequest, by: str, at_s: float) -> bool:
    newest = tx.labels([request.sample_id]).get(request.sample_id)
    if newest and (newest.label, newest.labelled_by) == (request.label, by):
        return False
    tx.add_label(LabelRow(request.sample_id, request.label, by, at_s))
    return True


def _node_names(tx: ControlTransaction, samples: Sequence[SampleRow]) -> dict[str, str]:
    """Return the name of each node that kept one of the samples."""
    rows = {node_id: tx.node(node_id) for node_id in {sample.node_id for sample in samples}}
    return {node_id: row.name if row else node_id for node_id, row in rows.items()}


def _dataset_view(row: DatasetRow) -> DatasetView:
    return DatasetView(
        name=row.name, version=row.version, sha256=row.sha256, samples=row.samples, built_at_s=row.built_at_s
    )
