"""The campaign finds what is planted, and says it so that it can be seen again."""

from collections.abc import Callable
from random import Random

import pytest

from fuzz.campaign import Case, Finding, case_of, run_campaign
from fuzz.honest import exchange
from fuzz.http_answers import answers_in
from fuzz.http_target import BinaryTarget
from fuzz.http_world import HttpWorld
from ganglion.core.errors import GanglionError
from ganglion.entrypoints.inference_api.limits import BodyBudget
from ganglion.entrypoints.inference_api.messages import Response
from ganglion.entrypoints.inference_api.oip_request import RequestDecoder
from ganglion.entrypoints.inference_api.oip_response import ResponseEncoder


class Fragile:
    """A target that fails on a certain byte."""

    def make(self, random: Random) -> Case:
        return Case("bytes", (random.randbytes(40), random.randbytes(40)))

    def run(self, case: Case) -> str:
        if b"\x07" in b"".join(case.pieces):
            raise Finding("a seven")
        return "fine"

    def close(self) -> None: ...


def problem(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_case_of_a_seed_is_the_same_in_every_run() -> None:
    assert case_of(Fragile(), "t", 3, 9) == case_of(Fragile(), "t", 3, 9)
    assert case_of(Fragile(), "t", 3, 9) != case_of(Fragile(), "t", 4, 9)


def test_a_finding_is_made_as_small_as_it_can_be() -> None:
    outcome = run_campaign("t", Fragile, seed=1, cases=50, failures_max=1)

    (failure,) = outcome.failures
    assert b"".join(failure.case.pieces) == b"\x07"
    assert failure.is_alone
    assert failure.reason == "Finding: a seven"


def crash(_self: RequestDecoder, _body: bytes, _length: bytes | None) -> None:
    raise KeyError("planted")


def tell_others(*_given: object) -> Response:
    """Give every client the answer that somebody had once."""
    return Response(200, (b'{"model_name":"steer","id":"honest-1","outputs":[]}',))


def keep(self: BodyBudget, size_bytes: int) -> None:
    """Give back too little."""
    self._left += max(0, size_bytes - 1)


@pytest.mark.parametrize(
    ("kind", "name", "defect"),
    [(RequestDecoder, "decode", crash), (ResponseEncoder, "encode", tell_others), (BodyBudget, "give_back", keep)],
)
def test_a_planted_defect_is_found(
    kind: type[object], name: str, defect: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, name, defect)

    outcome = run_campaign("http", BinaryTarget, seed=1, cases=60, failures_max=1)

    assert outcome.failures


def test_an_answer_that_went_to_somebody_else_is_found() -> None:
    world = HttpWorld()
    mine, yours = exchange(1, form=0), exchange(2, form=0)
    wire, _ = world.connect()
    wire.arrive(yours.request)
    world.settle()
    (answer,) = answers_in(bytes(wire.written))

    yours.accept(answer)
    with pytest.raises(Finding, match="got the answer of 'honest-2'"):
        mine.accept(answer)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nothing like it", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "cut short"),
        (
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx",
            "without a problem document",
        ),
        (problem(500, b'{"status":500,"detail":"d","code":"internal","error":"d"}'), "500 internal"),
        (problem(400, b'{"status":404,"detail":"d","code":"not_found","error":"d"}'), "contradicts the status"),
    ],
)
def test_answers_that_no_client_should_get_are_found(data: bytes, reason: str) -> None:
    with pytest.raises(Finding, match=reason):
        answers_in(data)


def test_whatever_escapes_from_a_target_is_a_finding() -> None:
    class Refusing(Fragile):
        def run(self, case: Case) -> str:
            if case.pieces[0][0] % 2:
                raise GanglionError("escaped")
            return "fine"

    assert run_campaign("t", Refusing, seed=1, cases=20, failures_max=1).failures
