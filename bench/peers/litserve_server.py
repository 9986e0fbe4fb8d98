"""LitServe with one worker, as its documentation has it: `POST /predict` takes lists."""

import argparse

import litserve
import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types


class OnnxApi(litserve.LitAPI):  # type: ignore[misc]  # its base is not installed here
    """One ONNX file on one thread."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file

    def setup(self, device: str) -> None:  # noqa: ARG002 - the signature that the server calls
        """Open the model in the worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self._file, options, providers=["CPUExecutionProvider"])
        source = self._session.get_inputs()[0]
        self._input = source.name
        self._kind = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[source.type]

    def decode_request(self, request: dict[str, list[object]]) -> "np.typing.NDArray[np.generic]":
        """Take the rows."""
        return np.array(request["rows"], self._kind)

    def predict(self, x: "np.typing.NDArray[np.generic]") -> "np.typing.NDArray[np.generic]":
        """Run the model."""
        scores: np.typing.NDArray[np.generic] = self._session.run(None, {self._input: x})[0]
        return scores

    def encode_response(self, output: "np.typing.NDArray[np.generic]") -> dict[str, list[object]]:
        """Give the scores."""
        return {"scores": output.tolist()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    server = litserve.LitServer(OnnxApi(chosen.model), accelerator="cpu", workers_per_device=1)
    server.run(port=chosen.port, host="127.0.0.1", num_api_servers=1, log_level="warning", generate_client_file=False)
