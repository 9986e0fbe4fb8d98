"""MLServer's custom runtime around one ONNX file, as its documentation has it; in the server's own process."""

import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):  # type: ignore[misc]  # its base is not installed here
    """One ONNX file on one thread."""

    async def load(self) -> bool:
        """Open the file that the settings name."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = self.settings.parameters.uri
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer with what the model says."""
        rows = NumpyCodec.decode_input(payload.inputs[0])
        (scores,) = self._session.run(None, {self._input: rows})
        return InferenceResponse(id=payload.id, model_name=self.name, outputs=[NumpyCodec.encode_output("p", scores)])
