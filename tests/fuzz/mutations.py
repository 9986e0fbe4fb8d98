"""How valid input is spoilt: bytes that know nothing of what they are, and JSON that knows its own structure."""

import json
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Raw | list[Json] | dict[str, Json] | None"

_NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    255,
    65_536,
    2**31 - 1,
    2**31,
    2**32,
    2**48,
    2**48 + 1,
    2**53,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
)
_CHUNK_MAX = 64
_TOKENS = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b"\xff", b" ", b"\t", b":", b",", b"{", b"}", b"[", b"]", b'"', b"\\",
    b"\\u", b"0", b"-", b"+", b".", b"1e999", b"NaN", b"null", b"true", b"0x10", b"ffffffffffffffff",
    b"18446744073709551616", b"Content-Length: 5\r\n", b"Content-Length: 10000000000\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade\r\n", b"Inference-Header-Content-Length: 9\r\n", b"0\r\n\r\n", b"HTTP/1.0",
    b"HTTP/2.0", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x80\x04\x95",
    b"\x7f\xff\xff\xff",
)  # fmt: skip


class Raw(bytes):
    """JSON text that is written as it stands: what no encoder would write."""

    __slots__ = ()


_TEXTS: tuple[Raw, ...] = tuple(
    Raw(text)
    for text in (
        b"NaN", b"-Infinity", b"1e999", b"-1e999", b"1e-999", b"-0", b"0.5", b"01", b"+1", b"1.", b"0x1", b"1_0",
        b"123456789" * 60, b"-" + b"9" * 400, b'"\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\n"',
        b'"unfinished', b"", b",", b"[" * 70 + b"]" * 70, b"[" * 3000, b'{"a":' * 3000,
        b"[" * 1100 + b"1" + b"]" * 1100, b'{"a":1,"a":2}', b"[1,]", b"[,]", b"truE", b"/*x*/1", b"1 2",
        b'"' + b"x" * 5000 + b'"', b"[" + b"0," * 3000 + b"0]", b'["\xf0\x9f\x98\x80"]', b"[[1,2],[3]]",
        b"[[1,2],3]", b"[true,1]", b'[1,"1"]', b"[null]", b"[[[[1,2]]]]", b"[{}]",
    )
)  # fmt: skip


def encode(value: Json) -> bytes:
    """Return JSON, with raw pieces as they stand."""
    match value:
        case Raw():
            return value
        case dict():
            return (
                b"{" + b",".join(json.dumps(key).encode() + b":" + encode(item) for key, item in value.items()) + b"}"
            )
        case list():
            return b"[" + b",".join(map(encode, value)) + b"]"
        case _:
            return json.dumps(value).encode()


_ODD: tuple[Json, ...] = (None, True, False, "", "x", [], {}, [[]], [None], {"": 0}, "é" * 300, 1.5, -2.5e300)


def odd_value(random: Random) -> Json:
    """Return a value that hardly any field expects."""
    choice = random.randrange(6)
    if choice == 0:
        return random.choice(_ODD)
    if choice < 3:
        return random.choice((1, -1)) * random.choice(_NUMBERS)
    if choice == 3:
        return [random.choice(_NUMBERS) for _ in range(random.choice((1, 2, 3, 33, 65)))]
    return random.choice(_TEXTS)


def spoilt(value: Json, random: Random, *, names: tuple[str, ...]) -> Json:
    """Return a copy of a document in which one place is changed; `names` are keys and words worth meeting again."""
    if isinstance(value, dict) and value:
        return _spoilt_object(value, random, names)
    if isinstance(value, list) and value:
        return _spoilt_list(value, random, names)
    if isinstance(value, int) and random.randrange(2):
        return value + random.choice((-1, 1, 7, -value, value))
    if isinstance(value, str) and random.randrange(2):
        return random.choice(names)
    return odd_value(random)


def _spoilt_object(value: dict[str, Json], random: Random, names: tuple[str, ...]) -> Json:
    key = random.choice(list(value))
    match random.randrange(10):
        case 0:
            return {name: item for name, item in value.items() if name != key}
        case 1:
            return {(random.choice(names) if name == key else name): item for name, item in value.items()}
        case 2:
            return value | {random.choice(names): odd_value(random)}
        case 3:
            return _with_key_twice(value, key, random)
        case _:
            return value | {key: spoilt(value[key], random, names=names)}


def _spoilt_list(value: list[Json], random: Random, names: tuple[str, ...]) -> Json:
    place = random.randrange(len(value))
    match random.randrange(8):
        case 0:
            return value[:place] + value[place + 1 :]
        case 1:
            return [*value, value[place]]
        case 2:
            return [*value[:place], *([value[place]] * random.choice((2, 70))), *value[place:]]
        case _:
            return [*value[:place], spoilt(value[place], random, names=names), *value[place + 1 :]]


def _with_key_twice(value: dict[str, Json], key: str, random: Random) -> Raw:
    again = json.dumps(key).encode() + b":" + encode(random.choice((value[key], odd_value(random))))
    return Raw(encode(value)[:-1] + b"," + again + b"}")


def damaged(data: bytes, random: Random, *, turns_max: int = 4) -> bytes:
    """Return `data` with some bytes changed, cut, doubled, moved or put in."""
    spoil = bytearray(data)
    for _ in range(random.randint(1, turns_max)):
        random.choice(_DAMAGES)(spoil, random)
    return bytes(spoil)


def spliced(first: bytes, second: bytes, random: Random) -> bytes:
    """Return the beginning of one input and the end of another."""
    return first[: random.randint(0, len(first))] + second[random.randint(0, len(second)) :]


def pieces_of(data: bytes, random: Random) -> tuple[bytes, ...]:
    """Cut `data` as a network might: mostly not at all, now and then byte by byte."""
    choice = random.randrange(10)
    if choice < 6 or len(data) < 2:
        return (data,)
    if choice == 9 and len(data) < 400:
        return tuple(data[at : at + 1] for at in range(len(data)))
    cuts = sorted(random.randint(0, len(data)) for _ in range(random.randint(1, 4)))
    ends = [0, *cuts, len(data)]
    return tuple(data[start:end] for start, end in pairwise(ends) if end > start)


def _change(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _flip(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _cut_out(data: bytearray, random: Random) -> None:
    start = random.randint(0, len(data))
    del data[start : start + random.randint(1, _CHUNK_MAX)]


def _cut_off(data: bytearray, random: Random) -> None:
    del data[random.randint(0, len(data)) :]


def _double(data: bytearray, random: Random) -> None:
    start = random.randint(0, len(data))
    data[start:start] = data[start : start + random.randint(1, _CHUNK_MAX)] * random.choice((1, 1, 2, 50))


def _put_in(data: bytearray, random: Random) -> None:
    start = random.randint(0, len(data))
    data[start:start] = random.choice(_TOKENS)


def _replace(data: bytearray, random: Random) -> None:
    start, token = random.randint(0, len(data)), random.choice(_TOKENS)
    data[start : start + len(token)] = token


def _overwrite(data: bytearray, random: Random) -> None:
    start, size = random.randint(0, len(data)), random.choice((1, 2, 4, 8))
    value = random.choice((0, 1, 127, 128, 255, 2 ** (8 * size) - 1, 2 ** (8 * size - 1)))
    data[start : start + size] = (value % 2 ** (8 * size)).to_bytes(size, random.choice(("little", "big")))


_DAMAGES: tuple[Callable[[bytearray, Random], None], ...] = (
    _change, _flip, _flip, _cut_out, _cut_off, _double, _put_in, _put_in, _replace, _overwrite,
)  # fmt: skip
