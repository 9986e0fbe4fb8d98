"""A fleet is never updated in one moment: an old node talks to a new hub, and a new node to an old hub."""

import msgspec
import pytest

from ganglion.wire import codec, records
from ganglion.wire.records import Envelope, SampleTensor
from golden_messages import example, message_kinds

KINDS = {kind.__name__: kind for kind in message_kinds()}
MAPS = {name: kind for name, kind in KINDS.items() if not kind.__struct_config__.array_like}
FIRST_RELEASE = {
    # Fields of the first release: what a node that was never updated sends, and what it needs to read.
    "NodeReport": {"incarnation", "revision", "models", "facts", "epoch", "made", "waiting", "shed", "schema"},
    "Batch": {"id", "sent_at_ns", "epoch", "records", "shed", "made", "schema"},
    "NodeFacts": {"arch", "runtime", "cores", "memory_bytes", "release"},
    "AccessRequest": {"assertion", "signature"},
    "DesiredState": {"incarnation", "revision", "assignments", "collection", "root_version_min", "schema"},
    "CollectionSettings": {"confidence_below", "random_share", "bytes_per_hour"},
    "Challenge": {"nonce", "expires_in_s"},
    "Ack": {"epoch", "cursor"},
    "AccessReply": {"access_token", "expires_in_s"},
}


def without_defaults(kind: type[msgspec.Struct]) -> dict[str, object]:
    """Return an example as the oldest sender writes it: without every field that has a default."""
    document = msgspec.to_builtins(example(kind))
    required = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
    return {name: value for name, value in document.items() if name in required}


@pytest.mark.parametrize("name", FIRST_RELEASE)
def test_what_a_sender_of_the_first_release_says_is_read_today(name: str) -> None:
    document = msgspec.to_builtins(example(KINDS[name]))
    said = {field: value for field, value in document.items() if field in FIRST_RELEASE[name]}

    message = codec.decode_json(msgspec.json.encode(said), KINDS[name])

    assert {field: getattr(message, field) for field in said} == {
        field: getattr(example(KINDS[name]), field) for field in said
    }


@pytest.mark.parametrize("name", FIRST_RELEASE)
def test_a_reader_of_the_first_release_finds_all_that_it_needs(name: str) -> None:
    old_reader = msgspec.defstruct("OldReader", [(field, object) for field in sorted(FIRST_RELEASE[name])])

    read = msgspec.json.decode(codec.encode_json(example(KINDS[name])), type=old_reader)

    assert set(read.__struct_fields__) == FIRST_RELEASE[name]


@pytest.mark.parametrize("name", MAPS)
def test_a_message_without_its_later_fields_is_read(name: str) -> None:
    assert isinstance(codec.decode_json(msgspec.json.encode(without_defaults(MAPS[name])), MAPS[name]), MAPS[name])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("later", [True, "text", 7, None, {"nested": [1]}])
def test_a_message_of_a_later_release_is_read_by_one_that_lacks_its_fields(name: str, later: object) -> None:
    for encode, decode in ((codec.encode_json, codec.decode_json), (codec.encode_packed, codec.decode_packed)):
        sent = _with_more(msgspec.to_builtins(example(KINDS[name]), builtin_types=(bytes,)), later)
        packed = msgspec.json.encode(sent) if encode is codec.encode_json else msgspec.msgpack.encode(sent)

        assert decode(packed, KINDS[name]) == example(KINDS[name])


def test_a_field_that_became_required_would_be_noticed() -> None:
    """Required fields are part of the agreement: a new one would shut out every node that was not updated."""
    required = {
        name: sorted(field.name for field in msgspec.structs.fields(kind) if field.required)
        for name, kind in KINDS.items()
        if name in FIRST_RELEASE
    }

    for name, fields in required.items():
        assert set(fields) <= FIRST_RELEASE[name], f"{name}: give new fields a default"


def test_what_a_record_holds_grows_at_its_end_only() -> None:
    """Records are arrays: an older reader takes the first values for what they always were."""
    assert Envelope.__struct_fields__[:4] == ("seq", "record_class", "at_ns", "payload")
    assert SampleTensor.__struct_fields__[:3] == ("datatype", "shape", "data")
    assert records.ResultRecord.__struct_fields__[:7] == (
        "request_id",
        "model",
        "version",
        "latency_us",
        "labels",
        "confidences",
        "error",
    )
    assert records.ComparisonRecord.__struct_fields__[:7] == (
        "request_id",
        "model",
        "version",
        "compared_with",
        "compared",
        "agreed",
        "latency_us",
    )


def _with_more(document: object, later: object) -> object:
    if isinstance(document, dict):
        return {**document, "of_a_later_release": later}
    assert isinstance(document, (list, tuple))
    return [*document, later]
