"""What a type consists of is found out once, before the first message of its kind."""

from dataclasses import dataclass

import msgspec

from ganglion.wire import known_types
from ganglion.wire.known_types import learn_types

looks: list[str] = []


def seen_by(name: str) -> type[int]:
    """Stand in an annotation, and note each time that somebody looks at it."""
    looks.append(name)
    return int


def test_a_type_is_not_taken_apart_when_its_first_message_comes() -> None:
    class First(msgspec.Struct):
        number: "seen_by('first')"  # type: ignore[valid-type]

    learn_types()
    assert looks.pop() == "first"

    assert msgspec.json.decode(b'{"number": 1}', type=First) == First(1)
    assert not looks


def test_a_type_is_not_taken_apart_twice() -> None:
    class Twice(msgspec.Struct):
        number: "seen_by('twice')"  # type: ignore[valid-type]

    learn_types()
    learn_types()

    assert looks.count("twice") == 1
    looks.clear()
    del Twice


def test_dataclasses_among_messages_are_taken_apart_as_well() -> None:
    @dataclass
    class Told:
        number: "seen_by('told')"  # type: ignore[valid-type]

    vars(known_types)["Told"] = Told
    try:
        learn_types()
    finally:
        del vars(known_types)["Told"]
    assert looks.pop() == "told"

    assert msgspec.convert({"number": 1}, Told) == Told(1)
    assert not looks


def test_a_type_that_nobody_can_decode_keeps_the_others_from_nothing() -> None:
    class Odd(msgspec.Struct):
        either: "int | NowhereDefined"  # type: ignore[name-defined]  # noqa: F821 - that is what is odd

    class Even(msgspec.Struct):
        number: "seen_by('even')"  # type: ignore[valid-type]

    learn_types()

    assert looks.pop() == "even"
    del Odd, Even
