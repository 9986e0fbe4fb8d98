"""The page for auditors names tests; each of them must be there."""

import re

import pytest

from source_tree import ROOT

PAGE, IDENTITY = (
    (ROOT / "docs" / "explanation" / name).read_text(encoding="utf-8") for name in ("trust.md", "identity.md")
)
NAMED = sorted(set(re.findall(r"`(test_(?:attack_)?\d+_\w+)`", PAGE + IDENTITY)))
ROW = re.compile(r"^\| (\d+) .*\|$", re.MULTILINE)


def names_of_tests() -> set[str]:
    folders = (ROOT / "tests" / "attacks", ROOT / "tests" / "integration")
    texts = [file.read_text(encoding="utf-8") for folder in folders for file in folder.glob("test_*.py")]
    return {name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE)}


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_page_for_auditors_names_exists(name: str) -> None:
    assert name in names_of_tests()


def test_the_page_for_auditors_names_every_test_of_an_attack_on_updates_and_model_files() -> None:
    attacks = {name for name in names_of_tests() if re.match(r"test_(attack_0\d|attack_1[0-8]|3[3-8])_", name)}

    assert attacks <= set(NAMED)


def test_the_page_for_auditors_has_a_row_for_each_attack_on_updates_and_model_files() -> None:
    rows = {int(number) for number in ROW.findall(PAGE)}

    assert {*range(1, 19), *range(33, 39), 43} <= rows


def test_the_page_of_identities_has_a_row_for_each_attack_on_them() -> None:
    rows = {int(number) for number in ROW.findall(IDENTITY)}

    assert {*range(19, 26), 31, 32, *range(39, 44)} <= rows
