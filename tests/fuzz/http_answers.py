"""Reads the answers on a connection, and says what is wrong with them whatever the request was."""

import json
from dataclasses import dataclass
from typing import Any

from fuzz.campaign import Finding

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ALLOWED = {503: {"overloaded"}, 504: {"deadline_exceeded"}}
"""What is not 4xx, and yet the client's own doing: it sent too much, or wanted no answer after 0 ms."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The JSON of the answer, which is all of it or what stands before the tensors."""
        length = self.headers.get("inference-header-content-length")
        return json.loads(self.body[: int(length)] if length else self.body)

    @property
    def blob(self) -> bytes:
        """What follows the JSON."""
        return self.body[int(self.headers.get("inference-header-content-length", len(self.body))) :]


def answers_in(data: bytes) -> list[Answer]:
    """Take a connection's answers apart. Raises: Finding: no HTTP, or an unexplained error."""
    answers = []
    while data:
        if data.startswith(_CONTINUE):
            data = data[len(_CONTINUE) :]
            continue
        head, end, rest = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        if not end or not line.startswith("HTTP/1.1 "):
            raise Finding(f"an answer is no HTTP: {data[:80]!r}")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        length = int(headers["content-length"])
        # The answer to HEAD has a length and no body, and no body of ours begins like an answer.
        if rest.startswith(b"HTTP/1.1 ") or not rest:
            length = 0
        if len(rest) < length:
            raise Finding(f"an answer is cut short: {length} bytes were promised, {len(rest)} came")
        answers.append(_checked(Answer(int(line.split(" ")[1]), headers, rest[:length])))
        data = rest[length:]
    return answers


def _checked(answer: Answer) -> Answer:
    if answer.status < 400:
        return answer
    if answer.headers.get("content-type") != "application/problem+json":
        raise Finding(f"{answer.status} without a problem document: {answer.headers}")
    if not answer.body:
        return answer
    problem = answer.document
    if problem["status"] != answer.status or not problem["error"] or problem["error"] != problem["detail"]:
        raise Finding(f"the problem document contradicts the status {answer.status}: {problem}")
    if answer.status >= 500 and problem["code"] not in _ALLOWED.get(answer.status, ()):
        raise Finding(f"{answer.status} {problem['code']}: {problem['detail'][:200]}")
    return answer
