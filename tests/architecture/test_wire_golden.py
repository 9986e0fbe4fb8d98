"""The bytes of every wire message are pinned: a fleet is never updated in one moment (style guide, section 12)."""

from pathlib import Path

import msgspec
import pytest

from ganglion.wire import codec
from golden_messages import CURRENT, GOLDEN, example, files_of, message_kinds

KINDS = {kind.__name__: kind for kind in message_kinds()}
FILES = sorted(GOLDEN.rglob("*.json"))


@pytest.mark.parametrize("kind", KINDS.values())
def test_the_bytes_of_a_message_are_the_golden_ones(kind: type[msgspec.Struct]) -> None:
    for file, text in files_of(kind).items():
        assert file.exists(), f"{file.name} is missing: run tools/golden_messages.py and commit what it wrote"
        assert file.read_text(encoding="utf-8") == text, (
            f"{kind.__name__} changed on the wire: see tools/golden_messages.py"
        )


@pytest.mark.parametrize("kind", KINDS.values())
def test_golden_bytes_are_read_as_the_message_they_came_from(kind: type[msgspec.Struct]) -> None:
    text = (CURRENT / f"{kind.__name__}.json").read_bytes()
    packed = bytes.fromhex((CURRENT / f"{kind.__name__}.msgpack.hex").read_text(encoding="utf-8"))

    assert codec.decode_json(text, kind) == example(kind)
    assert codec.decode_packed(packed, kind) == example(kind)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_message_of_any_pinned_version_with_one_more_field_is_still_read(file: Path) -> None:
    document = msgspec.json.decode(file.read_bytes())
    if isinstance(document, list):
        document.append("from a newer release")
    else:
        document["from_a_newer_release"] = True

    message = codec.decode_json(msgspec.json.encode(document), KINDS[file.stem])

    assert isinstance(message, KINDS[file.stem])


def test_every_golden_file_belongs_to_a_message() -> None:
    names = {file.name.partition(".")[0] for file in GOLDEN.rglob("*.*")}

    assert names == set(KINDS)
