"""A client that sends real rows to a node at a steady rate, and remembers every answer."""

import http.client
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ganglion.adapters.system import SystemClock
from ganglion.testing.waiting import wait_until

_TIMEOUT_S = 10.0
_OK = 200
_READY_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """One input with its truth. `key` tells it from every other row."""

    key: int
    values: tuple[float, ...]
    truth: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what became of it."""

    request_id: str
    at_s: float
    """When it was sent, on the monotonic clock."""
    latency_ms: float
    row: Row
    label: str
    """The predicted label; empty when there was no answer."""
    version: str
    error: str

    @property
    def is_answered(self) -> bool:
        """Say whether the node answered with a prediction."""
        return not self.error


class SteadyClient:
    """Sends one request after another from its own thread, `rate` a second; a slow answer delays the next."""

    def __init__(
        self, name: str, port: int, model: str, rows: Sequence[Row], labels: Sequence[str], *, rate: float
    ) -> None:
        self.name = name
        self.exchanges: list[Exchange] = []
        self._port, self._model, self._rows, self._labels = port, model, rows, labels
        self._period_s = 1.0 / rate
        self._clock = SystemClock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"client-{name}", daemon=True)
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        """Begin as soon as the node has a version to answer with."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop after the request in flight."""
        self._stopping.set()
        self._thread.join()

    def since(self, at_s: float, until_s: float = float("inf")) -> list[Exchange]:
        """Return the exchanges that began in [at_s, until_s)."""
        return [exchange for exchange in list(self.exchanges) if at_s <= exchange.at_s < until_s]

    def wait_for_answer(self, after_s: float, *, timeout_s: float) -> Exchange:
        """Return the first answered request that was sent after `after_s`. Raises: Unavailable."""
        return wait_until(
            lambda: next((exchange for exchange in self.since(after_s) if exchange.is_answered), None),
            what=f"an answer for {self.name}",
            timeout_s=timeout_s,
        )

    def _run(self) -> None:
        while not self._is_ready():
            if self._stopping.wait(_READY_POLL_S):
                return
        try:
            self._send_until_stopped()
        finally:
            self._forget_connection()

    def _send_until_stopped(self) -> None:
        number, due_s = 0, self._clock.monotonic_s()
        while not self._stopping.wait(max(0.0, due_s - self._clock.monotonic_s())):
            number += 1
            self.exchanges.append(self._exchange(f"{self.name}-{number}", self._rows[number % len(self._rows)]))
            due_s = max(due_s + self._period_s, self._clock.monotonic_s())

    def _is_ready(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
            connection.request("GET", f"/v2/models/{self._model}/ready")
            ready = connection.getresponse().status == _OK
            connection.close()
        except (OSError, http.client.HTTPException):
            return False
        return ready

    def _exchange(self, request_id: str, row: Row) -> Exchange:
        at_s = self._clock.monotonic_s()
        label = version = error = ""
        try:
            label, version = self._ask(request_id, row)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as problem:
            error = f"{type(problem).__name__}: {problem}"
            self._forget_connection()
        return Exchange(
            request_id=request_id, at_s=at_s, latency_ms=(self._clock.monotonic_s() - at_s) * 1e3, row=row,
            label=label, version=version, error=error,
        )  # fmt: skip

    def _ask(self, request_id: str, row: Row) -> tuple[str, str]:
        tensor = {"name": "pixels", "datatype": "FP32", "shape": [1, len(row.values)], "data": row.values}
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        self._connection.request(
            "POST", f"/v2/models/{self._model}/infer", body=json.dumps({"id": request_id, "inputs": [tensor]}),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        response = self._connection.getresponse()
        body = json.loads(response.read())
        if response.status != _OK:
            raise ValueError(f"status {response.status}: {body.get('error', '')}")
        scores = body["outputs"][0]["data"]
        return self._labels[scores.index(max(scores))], str(body["model_version"])

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def request_bytes(row: Row) -> int:
    """Return the size of one row as a client sends it: what uploading every input would cost at least."""
    return len(json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": row.values}]}))
