"""KServe's Python server with a model class of its own, as its documentation has it: one worker, HTTP and gRPC."""

import argparse

import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class OnnxModel(Model):  # type: ignore[misc]  # its base is not installed here
    """One ONNX file on one thread."""

    def __init__(self, name: str, file: str) -> None:
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.ready = True

    async def predict(
        self,
        payload: InferRequest,
        headers: dict[str, str] | None = None,  # noqa: ARG002 - the signature that the server calls
        response_headers: dict[str, str] | None = None,  # noqa: ARG002 - as above
    ) -> InferResponse:
        """Answer with what the model says."""
        (scores,) = self._session.run(None, {self._input: payload.inputs[0].as_numpy()})
        output = InferOutput("p", list(scores.shape), "FP32")
        output.set_data_from_numpy(scores, binary_data=payload.from_grpc or payload.use_binary_outputs)
        return InferResponse(payload.id or "", self.name, [output], use_binary_outputs=bool(payload.use_binary_outputs))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    chosen = parser.parse_args()
    server = ModelServer(
        http_port=chosen.port, grpc_port=chosen.grpc_port, workers=1, access_log_format=None, enable_docs_url=False
    )
    server.start([OnnxModel("demo", chosen.model)])
