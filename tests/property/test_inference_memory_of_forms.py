"""What the server remembers changes what an exchange costs, and nothing else: heads of requests, forms of answers."""

import itertools
import json
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.core.pipeline import Answer
from ganglion.core.steps import DATATYPES
from ganglion.entrypoints.inference_api.limits import BodyBudget, HttpLimits
from ganglion.entrypoints.inference_api.memo import Memo
from ganglion.entrypoints.inference_api.messages import HttpRefusal, Request, Response, render
from ganglion.entrypoints.inference_api.oip_response import ResponseEncoder
from ganglion.entrypoints.inference_api.request_reader import KnownHeads, RequestReader
from ganglion.entrypoints.inference_api.wishes import OutputChoice, Wish, choose
from ganglion.node.services.serving.answers import Inferred
from ganglion.node.services.serving.counts import Moments
from ganglion.node.services.serving.records import RequestName
from unit.node.serving_builders import manifest_of

LIMITS = HttpLimits(head_bytes_max=4096, body_bytes_max=100)
REQUEST = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
FRAGMENTS = (
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"Content-Length: 4\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b" ",
    b"\0",
)


class Conversation:
    """A reader as a connection uses it, and what it understood."""

    def __init__(self, known: KnownHeads) -> None:
        self.heard: list[object] = []
        self._reader = RequestReader(
            LIMITS, BodyBudget(1000), known, deliver=self._take, on_expect=lambda: self.heard.append("expects")
        )

    def hear(self, data: bytes) -> None:
        if self.heard[-1:] == ["refused"]:
            return
        request = self._reader.recognise(data)
        if request is not None:
            self._take(request)
            return
        try:
            self._reader.feed(data)
        except HttpRefusal as refusal:
            self.heard += [refusal.response.status, "refused"]

    def _take(self, request: Request) -> None:
        kept = {name: value for name, value in request.head.headers.items() if name != b"host"}
        self.heard.append((request.head.method, request.head.target, kept, request.head.is_last, request.body))


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_server_that_knows_heads_reads_every_conversation_as_one_that_does_not(data: st.DataObject) -> None:
    known = KnownHeads(8)
    Conversation(known).hear(REQUEST)
    assert len(known) == 1
    stream = bytearray(REQUEST * data.draw(st.integers(1, 3)))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(stream)))
        stream[place : place + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(FRAGMENTS))
    whole = len(REQUEST)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=3) | st.just([whole, 2 * whole]))
    edges = [0, *sorted(cuts), len(stream)]

    knowing, fresh = Conversation(known), Conversation(KnownHeads(0))
    for start, end in itertools.pairwise(edges):
        knowing.hear(bytes(stream[start:end]))
        fresh.hear(bytes(stream[start:end]))

    assert knowing.heard == fresh.heard


def test_a_known_head_does_not_lift_the_limit_of_all_bodies() -> None:
    known = KnownHeads(8)
    Conversation(known).hear(REQUEST)
    poor = RequestReader(LIMITS, BodyBudget(3), known, deliver=lambda _: None, on_expect=lambda: None)

    assert poor.recognise(REQUEST) is None
    with pytest.raises(HttpRefusal):
        poor.feed(REQUEST)


def test_a_full_memory_forgets_the_oldest() -> None:
    memo: Memo[int, str] = Memo(2)
    for key in (1, 2, 3, 2):
        memo.remember(key, str(key))

    assert [memo.get(key) for key in (1, 2, 3)] == [None, "2", "3"]
    assert len(memo) == 2


# --- answers --------------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
DTYPES_OF_NUMBERS = [dtype for dtype in DATATYPES if dtype.kind != "O"]


@st.composite
def answers(draw: st.DrawFn) -> Inferred:
    outputs = {
        name: np.frombuffer(draw(st.binary(min_size=64, max_size=64)), np.uint8)[: 6 * dtype.itemsize]
        .view(np.bool_ if dtype.kind == "b" else dtype)
        .reshape(draw(st.sampled_from([(1, 6), (2, 3), (6,)])))
        for name in NAMES[: draw(st.integers(1, 3))]
        for dtype in [draw(st.sampled_from(DTYPES_OF_NUMBERS))]
    }
    outputs = {name: tensor % 2 == 1 if tensor.dtype.kind == "b" else tensor for name, tensor in outputs.items()}
    request_id = draw(st.text(st.sampled_from(string.printable + 'ü"\\'), max_size=8))
    return Inferred(RequestName(request_id, "m", "1"), Answer(outputs, ()), Moments(0, 0, 0, 0, 0, 0), manifest_of())


def parts_of(response: Response) -> tuple[object, bytes]:
    data = render(response, False, False)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ") for line in head.lower().split(b"\r\n")[1:])
    assert int(fields[b"content-length"]) == len(body)
    json_bytes = int(fields.get(b"inference-header-content-length", len(body)))
    return json.loads(body[:json_bytes]), body[json_bytes:]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_prepared_answer_says_the_same_as_one_made_from_scratch(data: st.DataObject) -> None:
    encoder = ResponseEncoder()
    wishes = tuple((name, Wish(data.draw(st.booleans()))) for name in NAMES[: data.draw(st.integers(0, 1))])
    choice: OutputChoice = choose(wishes, Wish(data.draw(st.booleans())))

    for _ in range(3):
        inferred = data.draw(answers())
        prepared = parts_of(encoder.encode(choice, False, inferred))
        assert prepared == parts_of(encoder._encode_freely(inferred, choice, wants_timing=False))


@pytest.mark.parametrize("is_binary", [True, False])
def test_a_prepared_answer_can_be_the_last_of_its_connection(*, is_binary: bool) -> None:
    inferred = Inferred(
        RequestName("r", "m", "1"),
        Answer({"a": np.frombuffer(b"\r\n\r\n\r\n\r\n", "<f4")}, ()),
        Moments(0, 0, 0, 0, 0, 0),
        manifest_of(),
    )
    response = ResponseEncoder().encode(choose((), Wish(is_binary)), False, inferred)

    head, _, body = render(response, True, False).partition(b"\r\n\r\n")

    assert head.endswith(b"\r\nConnection: close")
    assert body == render(response, False, False).partition(b"\r\n\r\n")[2]
