"""Whatever somebody does to a stored chain is found; a chain that nobody touched has no fault."""

from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ganglion.trust import assertion, audit
from ganglion.trust.audit import Checkpoint, Link, Stored

KEY, OTHER_KEY = b"\x01" * 32, b"\x02" * 32
PUBLIC = assertion.public_key_of(KEY)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
deeds = st.lists(st.tuples(texts, texts, texts, st.dictionaries(texts, texts, max_size=3)), min_size=1, max_size=12)


def chain(parts: list[tuple[str, str, str, dict[str, str]]], *, writer: str = "hub") -> list[Stored]:
    links, previous = [], audit.ORIGIN
    for number, (actor, action, reason, facts) in enumerate(parts, start=audit.FIRST):
        link = Link(
            writer=writer,
            number=number,
            previous=previous,
            at_ns=number,
            monotonic_ms=number,
            boot="b",
            actor=actor,
            action=action,
            reason=reason,
            facts=facts,
        )
        document = link.encode()
        previous = audit.link_hash(document)
        links.append(Stored(number, previous, document))
    return links


def checkpoint(link: Stored, *, key: bytes = KEY) -> Checkpoint:
    return audit.sign_checkpoint(key, Checkpoint(writer="hub", number=link.number, hash=link.hash, at_ns=1))


def faults(links: list[Stored], *checkpoints: Checkpoint, anchor: Checkpoint | None = None) -> list[str]:
    found = audit.verify(links, writer="hub", checkpoints=checkpoints, public_key=PUBLIC, anchor=anchor)
    return [fault.kind for fault in found]


def forged(link: Stored, **fields: object) -> Stored:
    """Return a link with other content and a hash that fits it, as somebody would write who knows how."""
    document = msgspec.structs.replace(msgspec.json.decode(link.document, type=Link), **fields).encode()
    return Stored(link.number, audit.link_hash(document), document)


@given(deeds)
def test_a_chain_that_nobody_touched_has_no_fault(parts: list[tuple[str, str, str, dict[str, str]]]) -> None:
    links = chain(parts)

    assert faults(links, *(checkpoint(link) for link in links)) == []


@given(deeds, st.data())
def test_an_edited_link_is_found(parts: list[tuple[str, str, str, dict[str, str]]], data: st.DataObject) -> None:
    links = chain(parts)
    index = data.draw(st.integers(0, len(links) - 1))
    bit = data.draw(st.integers(0, len(links[index].document) * 8 - 1))
    changed = bytearray(links[index].document)
    changed[bit // 8] ^= 1 << bit % 8
    links[index] = replace(links[index], document=bytes(changed))

    assert faults(links)


@given(deeds, st.data())
def test_an_edited_link_with_a_hash_that_fits_is_found_by_the_next_or_by_a_checkpoint(
    parts: list[tuple[str, str, str, dict[str, str]]], data: st.DataObject
) -> None:
    links = chain(parts)
    kept = checkpoint(links[-1])
    index = data.draw(st.integers(0, len(links) - 1))
    links[index] = forged(links[index], actor="nobody at all, whoever it was")

    assert faults(links, kept)


@given(deeds, st.data())
def test_a_removed_link_is_found(parts: list[tuple[str, str, str, dict[str, str]]], data: st.DataObject) -> None:
    links = chain(parts)
    kept = checkpoint(links[-1])
    del links[data.draw(st.integers(0, len(links) - 1))]

    assert set(faults(links, kept)) & {"missing", "truncated"}


@given(deeds.filter(lambda parts: len(parts) > 1), st.data())
def test_reordered_links_are_found(parts: list[tuple[str, str, str, dict[str, str]]], data: st.DataObject) -> None:
    links = chain(parts)
    first = data.draw(st.integers(0, len(links) - 2))
    links[first], links[first + 1] = links[first + 1], links[first]

    assert faults(links)


@given(deeds.filter(lambda parts: len(parts) > 1), st.data())
def test_links_that_changed_their_numbers_are_found(
    parts: list[tuple[str, str, str, dict[str, str]]], data: st.DataObject
) -> None:
    links = chain(parts)
    first = data.draw(st.integers(0, len(links) - 2))
    one, other = links[first], links[first + 1]
    links[first], links[first + 1] = replace(other, number=one.number), replace(one, number=other.number)

    assert "reordered" in faults(links)


@given(deeds, st.data())
def test_an_end_that_was_cut_off_is_found_with_a_checkpoint(
    parts: list[tuple[str, str, str, dict[str, str]]], data: st.DataObject
) -> None:
    links = chain(parts)
    kept = checkpoint(links[-1])

    assert faults(links[: data.draw(st.integers(0, len(links) - 1))], kept) == ["truncated"]


@given(deeds)
def test_a_second_history_is_found_with_a_checkpoint(parts: list[tuple[str, str, str, dict[str, str]]]) -> None:
    kept = checkpoint(chain(parts)[-1])
    actor, *rest = parts[0]
    rewritten = chain([(actor + "!", *rest), *parts[1:]])  # type: ignore[list-item]  # the tuple keeps its length

    assert faults(rewritten) == []
    assert "forked" in faults(rewritten, kept)


@given(deeds)
def test_a_checkpoint_of_another_key_is_no_proof(parts: list[tuple[str, str, str, dict[str, str]]]) -> None:
    links = chain(parts)

    assert faults(links, checkpoint(links[-1], key=OTHER_KEY)) == ["forged"]


@given(deeds.filter(lambda parts: len(parts) > 1))
def test_what_is_left_after_old_links_were_removed_proves_itself(
    parts: list[tuple[str, str, str, dict[str, str]]],
) -> None:
    links = chain(parts)

    assert faults(links[1:], anchor=checkpoint(links[0])) == []
    assert faults(links[1:]) == ["missing"]


@given(st.binary(max_size=200))
def test_no_bytes_make_the_proof_fail_with_anything_but_a_fault(document: bytes) -> None:
    assert faults([Stored(1, audit.link_hash(document), document)])


@given(st.text(max_size=5000))
def test_a_text_of_any_length_fits_into_a_link(text: str) -> None:
    assert len(audit.clipped(text)) <= audit.TEXT_MAX


def test_two_heads_with_one_number_are_two_histories() -> None:
    one = Checkpoint(writer="n1", number=3, hash="a", at_ns=0)

    assert not audit.same_history(one, Checkpoint(writer="n1", number=3, hash="b", at_ns=0))
    assert audit.same_history(one, Checkpoint(writer="n1", number=4, hash="b", at_ns=0))
    assert audit.same_history(one, Checkpoint(writer="n2", number=3, hash="b", at_ns=0))
