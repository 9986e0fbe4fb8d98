"""What of a model's answer is sent, and in which form: the same over HTTP and over gRPC."""

from ganglion.core.steps import DATATYPES, Tensor
from ganglion.entrypoints.inference_api.classification import best_classes
from ganglion.entrypoints.inference_api.wishes import OutputChoice, Wish
from ganglion.node.services.serving.answers import Inferred
from ganglion.node.services.serving.counts import Stages


def wishes_of(inferred: Inferred, choice: OutputChoice) -> tuple[tuple[str, Wish], ...]:
    """Return the outputs to send, each with its form, in the order in which they were asked for."""
    return choice.wishes or tuple([(name, choice.default) for name in inferred.answer.outputs])


def as_sent(inferred: Inferred, name: str, wish: Wish) -> tuple[Tensor, str]:
    """Return the tensor of an output as it was wished for, and its datatype as the model's metadata has it.

    Raises: InvalidRequest: there are no scores to classify by.
    """
    tensor, manifest = inferred.answer.outputs[name], inferred.manifest
    if wish.classes:
        return best_classes(tensor, wish.classes, manifest.labels, name=name), "BYTES"
    return tensor, "BF16" if name in bf16_of(inferred) else DATATYPES[tensor.dtype]


def bf16_of(inferred: Inferred) -> list[str]:
    """Return the names of the outputs that are rounded to BF16 on their way."""
    return [spec.name for spec in inferred.manifest.outputs if spec.datatype == "BF16"]


def timing_of(stages: Stages) -> dict[str, int]:
    """Return the parameters of an answer that say where the time went."""
    return {
        "queue_us": stages.queue_us,
        "decode_us": stages.decode_us,
        "pre_us": stages.pre_us,
        "infer_us": stages.infer_us,
        "post_us": stages.post_us,
    }
