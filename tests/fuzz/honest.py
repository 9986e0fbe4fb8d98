"""Requests of well-behaved clients: each has numbers of its own, so that only the right answer is right."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass

from fuzz.campaign import Finding
from fuzz.http_answers import Answer

_NUMBERS = 1 << 23
"""So many numbers in a row are exact in FP32."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, its numbers, and how to check the answer to it."""

    request: bytes
    number: int
    request_id: str
    check: Callable[[Answer, int], bool]

    def accept(self, answer: Answer) -> None:
        """Raises: Finding: this is not the answer to this request."""
        if answer.status != 200:
            raise Finding(f"an honest request was refused: {answer.status} {answer.body[:300]!r}")
        said = answer.document
        if self.request_id and said.get("id") != self.request_id:
            raise Finding(f"an honest request {self.request_id!r} got the answer of {said.get('id')!r}")
        if not self.check(answer, self.number):
            raise Finding(f"an honest request with {self.number} got {answer.body[:300]!r}")


def exchange(number: int, form: int) -> Exchange:
    """Return one of the `FORMS` kinds of requests with numbers that no recent request had."""
    number %= _NUMBERS
    build, check = _FORMS[form % FORMS]
    request_id = f"honest-{number}" if number % 3 else ""
    return Exchange(build(number, request_id), number, request_id, check)


def post(path: str, body: bytes, header_length: int | None = None) -> bytes:
    """Return a whole request."""
    extra = f"Inference-Header-Content-Length: {header_length}\r\n" if header_length is not None else ""
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def _named(document: dict[str, object], request_id: str) -> bytes:
    return json.dumps(document | ({"id": request_id} if request_id else {})).encode()


def _row(number: int) -> list[float]:
    return [float(number), float(-number)]


def _json(model: str) -> Callable[[int, str], bytes]:
    def build(number: int, request_id: str) -> bytes:
        item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": _row(number)}
        return post(f"/v2/models/{model}/infer", _named({"inputs": [item]}, request_id))

    return build


def _binary(number: int, request_id: str) -> bytes:
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    wish = {"name": "probabilities", "parameters": {"binary_data": True}}
    head = _named({"inputs": [item], "outputs": [wish]}, request_id)
    return post("/v2/models/steer/infer", head + struct.pack("<2f", *_row(number)), len(head))


def _words(number: int, request_id: str) -> bytes:
    item = {"name": "x", "shape": [1, 2], "datatype": "BYTES", "data": [f"w{number}", "z"]}
    return post("/v2/models/words/infer", _named({"inputs": [item]}, request_id))


def _pair(number: int, request_id: str) -> bytes:
    a = {"name": "a", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    b = {"name": "b", "shape": [1, 3], "datatype": "INT32", "parameters": {"binary_data_size": 12}}
    head = _named({"inputs": [a, b]}, request_id)
    blob = struct.pack("<2f3i", *_row(number), number, number + 1, -number)
    return post("/v2/models/pair/infer", head + blob, len(head))


def _outputs(answer: Answer) -> dict[str, list[object]]:
    return {item["name"]: item.get("data", []) for item in answer.document["outputs"]}


def _has_row(answer: Answer, number: int) -> bool:
    return _outputs(answer) == {"probabilities": _row(number)}


def _has_blob(answer: Answer, number: int) -> bool:
    return answer.blob == struct.pack("<2f", *_row(number))


def _has_words(answer: Answer, number: int) -> bool:
    return _outputs(answer) == {"probabilities": [f"W{number}", "Z"]}


def _has_pair(answer: Answer, number: int) -> bool:
    return _outputs(answer) == {"a_again": _row(number), "b_again": [number, number + 1, -number]}


_FORMS: tuple[tuple[Callable[[int, str], bytes], Callable[[Answer, int], bool]], ...] = (
    (_json("steer"), _has_row),
    (_binary, _has_blob),
    (_json("slow"), _has_row),
    (_words, _has_words),
    (_pair, _has_pair),
)
FORMS = len(_FORMS)
