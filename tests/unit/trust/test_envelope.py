import msgspec
import pytest
from tuf.api.metadata import TargetFile, Targets

from ganglion.core.errors import InvalidRequest
from ganglion.trust import envelope, envelope_words
from ganglion.trust.envelope import AllowedModel, Bounds, Envelope, Limits, NamedAction, Scope
from unit.trust.ceremonies import terms


def text_of(limits: str, *, rest: str = "") -> bytes:
    return f'{{"limits": {limits}{rest}}}'.encode()


def test_what_is_signed_is_read_back_as_it_was() -> None:
    document = Envelope(
        limits=Limits(
            settings={"agent.report_s": Bounds(min=1.0)},
            models=(AllowedModel(name="gate-*"),),
            actions=(NamedAction(name="disk", command=("/bin/df", "-h")),),
        ),
        scopes=(Scope(limits=Limits(assignments_max=1), sites=("north",)),),
    )

    assert envelope.parse(envelope.encode(document)) == document


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "cannot be read"),
        (b'{"limits": {}, "limits": {}}', "cannot be read"),
        (text_of("{}", rest=', "schema": 2'), "cannot be read"),
        (text_of('{"more": 1}'), "unknown field"),
        (text_of('{"settings": {"agent.report_s": {"at_least": 1}}}'), "unknown field"),
        (text_of('{"settings": {"agent.report_s": {"min": 2, "max": 1}}}'), "nothing lies between"),
        (text_of('{"settings": {"Agent report": {"min": 2}}}'), "cannot be the key"),
        (text_of('{"models": [{"name": "../gate"}]}'), "cannot be a model's name"),
        (text_of('{"models": [{"name": "gate", "publishers": ["ada"]}]}'), "is no key"),
        (text_of('{"actions": [{"name": "a", "command": []}]}'), "absolute path"),
        (text_of('{"actions": [{"name": "a", "command": ["df"]}]}'), "absolute path"),
        (text_of('{"actions": [{"name": "a b", "command": ["/bin/df"]}]}'), "cannot name a named action"),
        (text_of('{"actions": [{"name": "a", "command": ["/bin/df", "{path}"]}]}'), "has a rule for each"),
        (
            text_of('{"actions": [{"name": "a", "command": ["/x", "{p}"], "arguments": {"p": {"pattern": "***"}}}]}'),
            "at most 2 stars",
        ),
        (text_of('{"actions": [{"name": "a", "command": ["/x", "{p}"], "arguments": {"p": {}}}]}'), "either values"),
        (text_of('{"actions": [{"name": "a", "command": ["/x"]}, {"name": "a", "command": ["/y"]}]}'), "same name"),
        (text_of('{"actions": [{"name": "a", "command": ["/x"], "time_s": 1e9}]}'), "cannot be read"),
        (text_of('{"actions": [{"name": "a", "command": ["/x"], "roles": ["owner"]}]}'), "cannot be read"),
        (text_of("{}", rest=', "scopes": [{"limits": {}}]'), "names no nodes"),
        (text_of("{" + " " * 200_000 + "}"), "at most"),
        (b'{"limits": ' + b"[" * 100_000, "cannot be read"),
    ],
)
def test_a_document_that_cannot_be_understood_in_full_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        envelope.parse(document)


def targets_with(entry: TargetFile, *, path: str = envelope.PATH) -> Targets:
    return Targets(version=1, expires=terms().expiry(Targets), targets={path: entry})


def test_the_document_travels_in_the_metadata_and_is_the_one_whose_hash_is_signed() -> None:
    document = Envelope(limits=Limits(commands_max=1))
    entry = envelope.target_of(document)
    other = envelope.target_of(Envelope(limits=Limits(commands_max=2)))

    assert envelope.document_in(targets_with(entry)) == envelope.encode(document)
    exchanged = TargetFile(entry.length, entry.hashes, entry.path, other.unrecognized_fields)
    with pytest.raises(InvalidRequest, match="whose hash is signed"):
        envelope.document_in(targets_with(exchanged))


@pytest.mark.parametrize("custom", [None, {}, {"document": 7}, "text"])
def test_a_target_without_a_document_is_refused(custom: object) -> None:
    entry = TargetFile(2, {"sha256": "0" * 64}, envelope.PATH, {"custom": custom})

    with pytest.raises(InvalidRequest):
        envelope.document_in(targets_with(entry))


def test_the_role_signs_nothing_but_the_envelope() -> None:
    entry = envelope.target_of(Envelope(limits=Limits()))

    with pytest.raises(InvalidRequest, match="nothing else"):
        envelope.document_in(targets_with(entry, path="models/m1/1/fp32.ganglion"))


def changes(before: object, after: object) -> list[str]:
    return envelope_words.changes(msgspec.json.encode(before), msgspec.json.encode(after))


def test_every_value_that_changes_is_told_to_who_signs() -> None:
    before = {"limits": {"commands_max": 3, "actions": [{"name": "a", "command": ["/x"]}]}}
    after = {"limits": {"commands_max": 4, "actions": [{"name": "b", "command": ["/y"]}]}}

    told = changes(before, after)

    assert "limits.commands_max = 4 (before: 3)" in told
    assert "limits.actions['a'].command no longer says [\"/x\"]" in told
    assert "limits.actions['b'].command = [\"/y\"]" in told


def test_actions_in_another_order_are_no_change() -> None:
    one, other = {"name": "a", "x": 1}, {"name": "b", "x": 2}

    assert changes([one, other], [other, one]) == ["says what it said before"]


def test_a_long_value_is_told_to_its_end() -> None:
    (told,) = changes({"a": ["x" * 5000, "y"]}, {"a": ["x" * 5000, "z"]})

    assert '"z"]' in told


def test_no_document_writes_to_the_terminal_of_who_reads_it() -> None:
    (told,) = changes({}, {"\x1b[2J": "\x1b[2J"})

    assert told.isprintable()
