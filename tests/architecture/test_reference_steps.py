"""The page of the steps has every step, every field says what it means, and the examples work."""

import re

import msgspec
import pytest

from ganglion.core.steps import Step
from reference_pages import steps
from source_tree import ROOT, field_docs

EXAMPLES = re.findall(r"```json\n(.*?)\n```", steps.render(), re.DOTALL)


def test_the_page_has_every_step_that_a_manifest_may_name() -> None:
    assert steps.shown_kinds() == steps.kinds()
    assert [type(example) for example in steps.EXAMPLES] == list(dict.fromkeys(map(type, steps.EXAMPLES)))


@pytest.mark.parametrize("kind", sorted(steps.kinds(), key=str))
def test_every_step_and_field_says_what_it_means(kind: type[msgspec.Struct]) -> None:
    assert kind.__doc__
    assert [name for name, text in field_docs(kind).items() if not text] == []


def test_the_examples_on_the_page_are_read_as_they_were_written() -> None:
    read = [msgspec.json.decode(example, type=Step) for example in EXAMPLES]

    assert sorted(read, key=str) == sorted(steps.EXAMPLES, key=str)


@pytest.mark.parametrize("page", ["serve-images.md"])
def test_the_lists_of_steps_in_the_how_to_are_read(page: str) -> None:
    text = (ROOT / "docs" / "howto" / page).read_text(encoding="utf-8")
    lists = [block for block in re.findall(r"```json\n(.*?)\n```", text, re.DOTALL) if block.startswith("[")]

    assert lists
    for block in lists:
        assert msgspec.json.decode(block, type=tuple[Step, ...])
