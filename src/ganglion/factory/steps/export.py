"""Export a scikit-learn classifier to ONNX: one output, the probabilities, for any number of rows."""

import numpy as np
from onnx import ModelProto
from skl2onnx import to_onnx  # type: ignore[import-untyped]  # it ships no types
from skl2onnx.common.data_types import FloatTensorType  # type: ignore[import-untyped]  # it ships no types
from skl2onnx.helpers.onnx_helper import (  # type: ignore[import-untyped]  # it ships no types
    select_model_inputs_outputs,
)

from ganglion.core.errors import CheckFailed
from ganglion.core.steps import Tensor
from ganglion.factory.domain.rows import FloatRows
from ganglion.factory.steps.train import Classifier
from ganglion.ports.runtime import CanInfer

OUTPUT = "probabilities"
DEVIATION_MAX = 1e-4
# Fixed, so that two versions of a model differ in their weights alone; every supported runtime reads it.
_OPSETS = {"": 17, "ai.onnx.ml": 3}


def export(classifier: Classifier, *, input_name: str, features: int) -> bytes:
    """Return the ONNX file of a trained classifier: input [N, features] FP32, output `probabilities` [N, classes]."""
    whole = to_onnx(
        classifier,
        initial_types=[(input_name, FloatTensorType([None, features]))],
        options={id(classifier): {"zipmap": False}},
        target_opset=_OPSETS,
    )
    model: ModelProto = select_model_inputs_outputs(whole, outputs=[OUTPUT])
    _drop_unused(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def check_export(engine: CanInfer, classifier: Classifier, *, input_name: str, rows: FloatRows) -> None:
    """Compare the exported model with the classifier on preprocessed rows. Raises: CheckFailed."""
    actual: Tensor = engine.infer({input_name: rows})[OUTPUT]
    deviation = float(np.max(np.abs(actual - classifier.predict_proba(rows)), initial=0.0))
    if deviation > DEVIATION_MAX:
        raise CheckFailed(f"the exported model deviates from the trained one by {deviation:.2g}")


def _drop_unused(model: ModelProto) -> None:
    """Remove the constants of the label output that was cut off."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [constant for constant in model.graph.initializer if constant.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
