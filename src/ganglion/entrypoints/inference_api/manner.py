"""What a request says apart from its id and its tensors: time, sequence, and the form of its answer.

HTTP and gRPC say it with the same parameters; what differs is only how they are written.
"""

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.inference_api.oip_document import Document, InputItem, OutputItem, Placement
from ganglion.entrypoints.inference_api.wishes import OutputChoice, Span, Wish, choose
from ganglion.node.domain.serving.sequences import SequencePlace
from ganglion.node.services.serving.answers import Form


class Manner(msgspec.Struct, frozen=True, gc=False):
    """What a request says apart from its id and its tensors. Equal requests share one."""

    outputs: OutputChoice
    form: Form
    wants_timing: bool
    timeout_us: int
    place: SequencePlace | None
    key: str
    """Chooses among versions that share the requests."""
    uses_memory: bool
    """Inputs or outputs lie in shared memory, which is not for clients on other machines."""


def manner_of(document: Document) -> Manner:
    """Return the manner of a request. Raises: InvalidRequest: an output is wanted twice, or in two forms."""
    options = document.parameters
    return Manner(
        outputs=_outputs(document),
        form=Form(),
        wants_timing=options.timing,
        timeout_us=options.timeout,
        place=options.place,
        key=str(options.ganglion_key),
        uses_memory=any(map(_is_in_memory, document.inputs)) or any(map(_is_in_memory, document.outputs)),
    )


def _is_in_memory(item: InputItem | OutputItem) -> bool:
    return item.parameters.shared_memory_region is not None


def _outputs(document: Document) -> OutputChoice:
    default = document.parameters.binary_data_output
    return choose(tuple([(item.name, _wish(item, default=default)) for item in document.outputs]), Wish(default))


def _wish(item: OutputItem, *, default: bool) -> Wish:
    wanted, what = item.parameters, f"output {item.name!r}"
    if wanted.shared_memory_region is not None:
        if wanted.binary_data:
            raise InvalidRequest(f"{what} is wanted both in shared memory and as binary data")
        return Wish(classes=wanted.classification, span=span_of(wanted, wanted.shared_memory_region, what))
    is_binary = default if wanted.binary_data is None else wanted.binary_data
    return Wish(is_binary, wanted.classification)


def span_of(placement: Placement, region: str, what: str) -> Span:
    """Return where in a region a tensor lies. Raises: InvalidRequest: its size is not said."""
    size = placement.shared_memory_byte_size
    if size is None:
        raise InvalidRequest(f"{what}: shared_memory_region needs shared_memory_byte_size")
    return Span(region, placement.shared_memory_offset, size)
