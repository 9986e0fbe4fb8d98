"""What goes into serving and what comes out: requests, answers, and what one request may cost."""

import math
from collections.abc import Callable, Hashable
from typing import TypeAlias

import msgspec

from ganglion.core.errors import GanglionError
from ganglion.core.manifest import Manifest
from ganglion.core.pipeline import Answer
from ganglion.core.serving_errors import DeadlineExceeded
from ganglion.core.steps import Tensors
from ganglion.node.domain.serving.sequences import SequencePlace
from ganglion.node.services.serving.counts import Moments, Stages
from ganglion.node.services.serving.records import RequestName
from ganglion.node.services.serving.runs import Package
from ganglion.node.services.serving.versions import LoadedVersion, ServedModel

NEVER_S = math.inf
NOT_MEASURED_S = -1.0


class InferLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may cost, and where it runs."""

    inline_us_max: int = 200
    """A request that takes no longer than this, as measured, runs on the event loop; others wait for the thread."""
    request_id_len_max: int = 256
    """Characters of a request's own id."""
    key_len_max: int = 256
    """Characters of the key that chooses among versions."""


class Form:
    """What a request looks like apart from its numbers: names, element types, shapes, and the outputs it wants.

    An edge that recognises the form of a request gives equal forms the same object: then the form is checked once.
    """

    __slots__ = ("accepted_by", "expected_us", "layout", "row_elements", "rows")

    def __init__(self) -> None:
        self.accepted_by: object = None
        """The token of the version that checked it, never the version itself: that must not live as long."""
        self.expected_us = math.inf
        self.rows = 0
        self.row_elements = 0.0
        """Numbers in one row, for a version that answers several requests at once."""
        self.layout: Hashable = None
        """What requests must have in common to be answered at once: names, element types and shapes of a row."""


class InferRequest(msgspec.Struct, frozen=True, gc=False):
    """A request whose tensors are decoded. `version` and `request_id` may be empty; `outputs` empty means all."""

    model: str
    version: str
    request_id: str
    inputs: Tensors
    outputs: tuple[str, ...] = ()
    form: Form | None = None
    began_s: float = NOT_MEASURED_S
    """When the edge began to decode it, by the monotonic clock."""
    deadline_s: float = NEVER_S
    """When it is no longer worth beginning, by the monotonic clock."""
    place: SequencePlace | None = None
    """Its place in a sequence of requests that build on each other; means nothing to a model without state."""
    key: str = ""
    """Requests with the same key get the same version where versions share the traffic; empty leaves it to chance."""


class Inferred(msgspec.Struct, frozen=True, gc=False):
    """A model's answer, who gave it, and when."""

    name: RequestName
    answer: Answer
    moments: Moments
    manifest: Manifest
    """Of the version that answered."""

    @property
    def stages(self) -> Stages:
        """Return where the time went."""
        return self.moments.stages()


Outcome: TypeAlias = Inferred | GanglionError
Reply: TypeAlias = Callable[[Outcome], None]


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A request that was checked, and the version that answers it."""

    request: InferRequest
    reply: Reply
    served: ServedModel
    version: LoadedVersion
    rows: int
    at_s: float
    package: Package
    """The version's, or that of a sequence."""
    form: Form


def expired() -> DeadlineExceeded:
    """Return the error of a request that was given up in the queue."""
    return DeadlineExceeded("the time for this request was over before the model's turn came")
