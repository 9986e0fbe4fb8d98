"""Requests that attack: documents with one wrong thing in them, tensors of wrong sizes, and HTTP that is none."""

import struct
from collections.abc import Callable
from random import Random
from typing import cast

from fuzz.honest import FORMS, exchange, post
from fuzz.mutations import Json, Raw, damaged, encode, odd_value, spliced, spoilt

NAMES = (
    "x", "a", "b", "y", "", "probabilities", "a_again", "id", "inputs", "outputs", "parameters", "name", "shape",
    "datatype", "data", "binary_data_size", "binary_data", "binary_data_output", "classification",
    "shared_memory_region", "shared_memory_offset", "shared_memory_byte_size", "timeout", "priority", "timing",
    "sequence_id", "sequence_start", "sequence_end", "FP32", "FP16", "BF16", "FP64", "BOOL", "BYTES", "INT8",
    "INT32", "INT64", "UINT64", "fp32", "FP8", "region", "gone", "key", "byte_size", "offset", "é\u0000",
    "\U0001f600" * 90,
)  # fmt: skip
_MODELS = ("steer", "slow", "words", "bf16", "fp16", "pair")
_TARGETS = (
    "/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/healthz", "/metrics", "/v2/models/stats",
    "/v2/models/steer", "/v2/models/steer/ready", "/v2/models/steer/stats", "/v2/models/steer/versions/1",
    "/v2/models/steer/versions/9/infer", "/v2/models/none/infer", "/v2/models//infer",
    "/v2/models/steer/versions//infer", "/v2/models/%73teer", "/../../etc/passwd", "/v2/repository/index",
    "/v2/repository/models/steer/load", "/v2/repository/models/none/unload", "*", "http://x/v2", "http://",
    "/v2/systemsharedmemory/status", "/v2/systemsharedmemory/region/%00/status", "/v2/models/" + "x" * 3000,
    "/v2/models/steer/predict", "/v2/models/words/predict", "/%ff%fe", "/v2?x=1",
    "/v2/systemsharedmemory/region/%2F..%2F/register",
)  # fmt: skip
_METHODS = (
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "PRI",
    "get",
    "M-SEARCH",
    "X",
)
_FIELDS = (
    "Content-Length: 10000000000", "Content-Length: 99999999999999999999999", "Content-Length: -1",
    "Content-Length: +5", "Content-Length: 5, 5", "Content-Length: 0x5", "Content-Length:",
    "Content-Length: 3\r\nContent-Length: 4", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Encoding: gzip", "Expect: 100-continue", "Expect: 200-maybe", "Connection: close",
    "Connection: keep-alive, Upgrade", "Upgrade: websocket\r\nConnection: Upgrade",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
    "Inference-Header-Content-Length: 0", "Inference-Header-Content-Length: -1",
    "Inference-Header-Content-Length: 1_0", "Inference-Header-Content-Length: 99999999999999",
    "X-Request-Timeout-Ms: 0", "X-Request-Timeout-Ms: -1", "X-Request-Timeout-Ms: 1e3",
    "X-Request-Timeout-Ms: 999999999", "X-Request-Timing: 1", ": nothing", "No-Colon", "A\0B: c", "A: b\0c",
    " folded: x", "A:\r\n b", "X: " + "y" * 5000, "\r\n".join(f"X{number}: {number}" for number in range(700)),
    "Accept: " + "*/*," * 300, "Host: a\r\nHost: b",
    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
)  # fmt: skip
_CHUNKS = (
    b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"-5\r\nhello\r\n",
    b"5;ext=" + b"x" * 6000 + b"\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloX0\r\n\r\n", b"0\r\nContent-Length: 7\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"1\r\n{\r\n" * 500,
    b"00000000000000000005\r\nhello\r\n0\r\n\r\n", b"0\r\n" + b"T: x\r\n" * 900 + b"\r\n", b"fffffff\r\nx",
)  # fmt: skip


def body_request(random: Random) -> bytes:
    """Return a request of correct HTTP, whose body has one to three wrong things in it."""
    model = random.choice(_MODELS)
    document, blobs = _document(model, random)
    spoil: Json = document
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        spoil = spoilt(spoil, random, names=NAMES)
    head = encode(spoil)
    if random.randrange(8) == 0:
        head = damaged(head, random)
    blob = b"".join(blobs)
    if blob and random.randrange(4) == 0:
        blob = damaged(blob, random, turns_max=1)
    length: int | None = len(head) if blobs or random.randrange(8) == 0 else None
    if length is not None and random.randrange(6) == 0:
        length = max(0, length + random.choice((-2, -1, 1, 2, 8, 10**6, -length)))
    return post(_path(model, random), head + blob, length)


def framed_request(random: Random) -> bytes:
    """Return a request of correct HTTP/1.1 to any path, with any correct body."""
    if random.randrange(3):
        return body_request(random)
    body = encode(odd_value(random)) if random.randrange(2) else random.randbytes(random.choice((0, 1, 40, 3000)))
    return post(random.choice(_TARGETS[:-1]), body)


def memory_request(random: Random, keys: tuple[str, ...]) -> bytes:
    """Return a request of correct HTTP about shared memory: `keys` are objects, of which some are there."""
    region = random.choice(("region", "gone", "other", "", "%00", "a%2Fb", "x" * 300, "r%C3%A9"))
    act = random.randrange(6)
    if act < 2:
        wish: Json = {
            "key": random.choice((*keys, "", "/", "..", "/../etc/passwd", "/a/b", "k" * 300, "nul\0")),
            "offset": random.choice((0, 0, 1, 63, 64, 2**48)),
            "byte_size": random.choice((64, 64, 1, 0, 65, 2**48)),
        }
        if random.randrange(3) == 0:
            wish = spoilt(wish, random, names=NAMES)
        return post(f"/v2/systemsharedmemory/region/{region}/register", encode(wish))
    if act == 2:
        target = random.choice((f"region/{region}/unregister", "unregister", f"region/{region}/unregister"))
        return post(f"/v2/systemsharedmemory/{target}", b"")
    place = {
        "shared_memory_region": random.choice(("region", "gone", "other", "")),
        "shared_memory_offset": random.choice((0, 8, 56, 57, 63, 64, 2**48)),
        "shared_memory_byte_size": random.choice((8, 8, 8, 16, 0, 1, 64, 2**48)),
    }
    item: dict[str, Json] = {"name": "x", "shape": [1, 2], "datatype": "FP32"}
    output: dict[str, Json] = {"name": "probabilities"}
    if random.randrange(3):
        item["parameters"] = cast("Json", place)
    else:
        item["data"] = [1.5, 2.5]
    if random.randrange(2):
        output["parameters"] = cast("Json", place | {"classification": random.choice((0, 0, 1))})
    document: Json = {"inputs": [item], "outputs": [output]}
    if random.randrange(2):
        document = spoilt(document, random, names=NAMES)
    return post(f"/v2/models/{random.choice(('steer', 'slow', 'words'))}/infer", encode(document))


def broken_stream(random: Random) -> bytes:
    """Return bytes that are nearly HTTP: one or more requests, damaged without regard to where they end."""
    return random.choice(_STREAMS)(random)


def _document(model: str, random: Random) -> tuple[dict[str, Json], list[bytes]]:
    """Return a valid document for a model, and the tensors that follow it."""
    rows = random.choice((1, 1, 2, 4))
    inputs: list[Json] = []
    blobs: list[bytes] = []
    for name, datatype, width in _INPUTS.get(model, _ONE_INPUT):
        datatype = {"words": "BYTES", "bf16": "BF16", "fp16": "FP16"}.get(model, datatype)  # noqa: PLW2901
        item: dict[str, Json] = {"name": name, "shape": [rows, width], "datatype": datatype}
        if random.randrange(2):
            blobs.append(_blob(datatype, rows * width, random))
            item["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            item["data"] = _values(datatype, rows * width, random)
        inputs.append(item)
    document: dict[str, Json] = {"inputs": inputs}
    if random.randrange(2):
        document["id"] = f"hostile-{random.randrange(10**9)}"
    if random.randrange(3) == 0:
        outputs = ("a_again", "b_again") if model == "pair" else ("probabilities",)
        wish = {"binary_data": bool(random.randrange(2)), "classification": random.choice((0, 0, 1, 2, 3, 65_536))}
        document["outputs"] = [{"name": name, "parameters": cast("Json", wish)} for name in outputs]
    if random.randrange(3) == 0:
        document["parameters"] = {
            random.choice(
                ("timeout", "timing", "binary_data_output", "sequence_id", "sequence_start", "priority")
            ): cast("Json", random.choice((True, False, 0, 1, 5, "s", 2**48, -1)))
        }
    return document, blobs


_ONE_INPUT = (("x", "FP32", 2),)
_INPUTS = {"pair": (("a", "FP32", 2), ("b", "INT32", 3))}
_SIZES = {"FP32": 4, "INT32": 4, "FP16": 2, "BF16": 2}


def _blob(datatype: str, count: int, random: Random) -> bytes:
    if datatype != "BYTES":
        return random.randbytes(count * _SIZES[datatype])
    elements = [random.choice((b"word", b"", b"\xff\xfe", b"\xed\xa0\x80")) for _ in range(count)]
    lies = random.randrange(3) == 0
    lengths = [random.choice((len(each), len(each), 0, 2**31, 2**32 - 1)) if lies else len(each) for each in elements]
    return b"".join(struct.pack("<I", length) + each for length, each in zip(lengths, elements, strict=True))


def _values(datatype: str, count: int, random: Random) -> list[Json]:
    if datatype == "BYTES":
        return [random.choice(("word", "", "é", Raw(b'"\\ud83d\\ude00"'))) for _ in range(count)]
    whole = datatype == "INT32"
    return [
        random.choice((1, 2, 0, -1)) if whole else random.choice((0.5, 1, -1e30, 3e38, 1e-40)) for _ in range(count)
    ]


def _path(model: str, random: Random) -> str:
    if random.randrange(12) == 0:
        model = random.choice(_MODELS)
    version = random.choice(("", "", "", "", "/versions/1", "/versions/2"))
    return f"/v2/models/{model}{version}/infer"


# --- streams ------------------------------------------------------------------------------------------


def _valid(random: Random) -> bytes:
    choice = random.randrange(4)
    if choice == 0:
        return b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % random.choice(_TARGETS[:-1]).encode()
    return body_request(random) if choice == 1 else exchange(random.randrange(10**6), random.randrange(FORMS)).request


def _damaged_requests(random: Random) -> bytes:
    return damaged(b"".join(_valid(random) for _ in range(random.choice((1, 1, 2, 3)))), random)


def _two_in_one(random: Random) -> bytes:
    return spliced(_valid(random), _valid(random), random)


def _odd_head(random: Random) -> bytes:
    fields = "\r\n".join(random.choice(_FIELDS) for _ in range(random.choice((1, 1, 2, 3))))
    version = random.choice(("HTTP/1.1",) * 6 + ("HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTP/1.1 ", "http/1.1", ""))
    body = random.choice((b"", b"hello", b"x" * 300, *_CHUNKS))
    line = f"{random.choice(_METHODS)} {random.choice(_TARGETS)} {version}\r\nHost: x\r\n{fields}\r\n\r\n"
    return line.encode("latin-1", "replace") + body


def _odd_field_in_request(random: Random) -> bytes:
    line, _, rest = _valid(random).partition(b"\r\n")
    return line + b"\r\n" + random.choice(_FIELDS).encode() + b"\r\n" + rest


def _chunked(random: Random) -> bytes:
    chunks = random.choice(_CHUNKS)
    if random.randrange(2):
        body = body_request(random).partition(b"\r\n\r\n")[2]
        cut = random.randint(0, len(body))
        chunks = (
            b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part) + b"0\r\n\r\n"
        )
    if random.randrange(3) == 0:
        chunks = damaged(chunks, random)
    return b"POST /v2/models/steer/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks


def _many(random: Random) -> bytes:
    return _valid(random) * random.choice((5, 20, 60)) + damaged(_valid(random), random)


def _noise(random: Random) -> bytes:
    return random.randbytes(random.choice((1, 10, 200, 5000)))


def _length_lie(random: Random) -> bytes:
    head, _, body = _valid(random).partition(b"\r\n\r\n")
    lie = len(body) + random.choice((-3, -1, 1, 3, 1000, 99_000, 101_000, 10**10))
    lines = [
        b"Content-Length: %d" % lie if line.startswith(b"Content-Length") else line for line in head.split(b"\r\n")
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


_STREAMS: tuple[Callable[[Random], bytes], ...] = (
    _damaged_requests, _damaged_requests, _damaged_requests, _two_in_one, _odd_head, _odd_field_in_request, _chunked,
    _many, _noise, _length_lie,
)  # fmt: skip
