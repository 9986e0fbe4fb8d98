"""A model of Triton's Python backend: one ONNX file, opened inside the server's own backend process."""

import json
import os
import sys

# The backend embeds a Python of its own, which looks into no virtual environment.
sys.path.append(os.environ["MODEL_PACKAGES"])

import onnxruntime  # type: ignore[import-untyped]  # it ships no types
import triton_python_backend_utils as backend


class TritonPythonModel:
    """One ONNX file on one thread."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the file that the configuration names."""
        config = json.loads(args["model_config"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = config["parameters"]["file"]["string_value"]
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._input, self._output = self._session.get_inputs()[0].name, self._session.get_outputs()[0].name

    def execute(self, requests: list[object]) -> list[object]:
        """Answer each request with what the model says."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: object) -> object:
        rows = backend.get_input_tensor_by_name(request, self._input).as_numpy()
        (scores,) = self._session.run(None, {self._input: rows})
        return backend.InferenceResponse([backend.Tensor(self._output, scores)])
