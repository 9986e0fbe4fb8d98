"""FastAPI, uvicorn and ONNX Runtime, as most teams begin: `POST /json` takes lists, `POST /binary` takes bytes."""

import argparse

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response


def application(model: str) -> FastAPI:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    kind = np.dtype({"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[source.type])
    app = FastAPI()

    @app.post("/json")
    async def answer_json(request: Request) -> Response:
        rows = np.array(orjson.loads(await request.body())["rows"], kind)
        (scores,) = session.run(None, {source.name: rows})
        return Response(orjson.dumps({"scores": scores}, option=orjson.OPT_SERIALIZE_NUMPY))

    @app.post("/binary")
    async def answer_binary(request: Request) -> Response:
        shape = [1, *source.shape[1:]]
        rows = np.frombuffer(await request.body(), kind).reshape(shape)
        (scores,) = session.run(None, {source.name: rows})
        return Response(scores.tobytes(), media_type="application/octet-stream")

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    uvicorn.run(application(chosen.model), port=chosen.port, access_log=False, log_level="warning")
