"""Looks at quality and values of a few inputs, after they were answered and beside the requests, in an own lane.

A look is bounded, and so is how many there are: `quality_looks_per_minute` of each model, and one at a time. What is
measured goes into the journal as figures; the input itself only when the trigger rule wants it.
"""

from dataclasses import dataclass
from functools import partial

import structlog

from ganglion.core import input_values, quality
from ganglion.core.errors import GanglionError, Overloaded
from ganglion.core.manifest import Manifest
from ganglion.core.quality import Look
from ganglion.core.steps import Tensor, Tensors
from ganglion.core.steps.image_codec import ReadImages, image_reader
from ganglion.node.domain.sending.summaries import LookRecord
from ganglion.node.services.serving.lane import Lane
from ganglion.node.services.serving.records import Recorder, RequestName
from ganglion.node.services.serving.runs import Run
from ganglion.node.services.serving.versions import LoadedVersion
from ganglion.ports.clock import Clock

log = structlog.get_logger()

_MINUTE_S = 60.0
_MODELS_MAX = 64
_PAUSE_S = 0.1
_FILE_PIXELS_MAX, _FILE_BYTES_MAX = 4_000_000, 4_000_000
"""Larger pictures in files are not decoded a second time only to be looked at."""


@dataclass(frozen=True, slots=True)
class _Seen:
    look: Look
    bins: dict[str, tuple[int, int]]


class InputLooks:
    """Offers are made on the loop, after the answer. A look that finds the lane busy does not take place."""

    def __init__(self, *, lane: Lane, recorder: Recorder, clock: Clock) -> None:
        self._lane, self._recorder, self._clock = lane, recorder, clock
        self._due_s: dict[str, float] = {}
        self._before: dict[str, Look] = {}
        self._read: ReadImages | None = None
        self.due_s = 0.0
        """Before this time nothing need be offered; monotonic."""

    def offer(self, name: RequestName, version: LoadedVersion, inputs: Tensors, run: Run) -> None:
        """Look at the first row of the inputs if it is the model's turn."""
        now_s, per_minute = self._clock.monotonic_s(), self._recorder.collection.quality_looks_per_minute
        if per_minute <= 0:
            self.due_s = now_s + _MINUTE_S
            return
        if now_s >= self._due_s.get(name.model, 0.0) and (name.model in self._due_s or len(self._due_s) < _MODELS_MAX):
            self._due_s[name.model] = now_s + _MINUTE_S / per_minute
            self._submit(name, version, inputs, run)
        # Models that nobody asks any more are due for ever, and must not cost each request of the others a question.
        self.due_s = max(min(self._due_s.values()), now_s + _PAUSE_S)

    def _submit(self, name: RequestName, version: LoadedVersion, inputs: Tensors, run: Run) -> None:
        manifest, before = version.pipeline.manifest, self._before.get(name.model)
        done = partial(self._finish, name, version, inputs, run)
        try:
            self._lane.submit(partial(self._look, manifest, inputs, before), done)
        except Overloaded:
            return

    def _look(self, manifest: Manifest, inputs: Tensors, before: Look | None) -> _Seen | None:
        reference = manifest.drift.inputs if manifest.drift else {}
        try:
            readable = {spec.name: self._pixels(inputs[spec.name]) for spec in manifest.inputs}
            look = quality.look(manifest.inputs, readable, before=before)
            return _Seen(look, input_values.bins(manifest.inputs, inputs, reference))
        except GanglionError:
            return None  # It was good enough for the model, and cannot be shown here.

    def _pixels(self, tensor: Tensor) -> Tensor:
        """Return a picture in a file as pixels [1, height, width, 1]; anything else as it is."""
        if tensor.dtype.kind != "O":
            return tensor
        if self._read is None:
            self._read = image_reader(is_grey=True, pixels_max=_FILE_PIXELS_MAX, bytes_max=_FILE_BYTES_MAX)
        return self._read([bytes(tensor.reshape(-1)[0])])[0][None]

    def _finish(self, name: RequestName, version: LoadedVersion, inputs: Tensors, run: Run, seen: _Seen | None) -> None:
        if seen is None or not (seen.look.measures or seen.bins):
            return
        measures = seen.look.measures
        self._before[name.model] = seen.look
        self._recorder.look(LookRecord(name.model, name.version, measures, seen.bins))
        self._recorder.consider_measured(name, inputs, run, measures, version.typicality)
