"""Every error has its own code, says what to do, and is documented (style guide, section 8)."""

import ast
from collections import Counter

import pytest

from ganglion.core.errors import GanglionError
from reference_pages.errors import known_errors
from source_tree import ROOT, source_files

ERRORS = known_errors()
FAMILIES = {"Rejected", "Unavailable", "Untrusted", "Broken"}


def test_every_code_is_unique() -> None:
    shared = [code for code, uses in Counter(kind.code for kind in ERRORS).items() if uses > 1]

    assert not shared


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_states_code_remedy_and_meaning_of_its_own(kind: type[GanglionError]) -> None:
    assert {"code", "remedy", "__doc__"} <= set(vars(kind))
    assert kind.code.replace("_", "").isalpha()
    assert kind.code.islower()


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_belongs_to_the_family_of_who_must_act(kind: type[GanglionError]) -> None:
    families = [base.__name__ for base in kind.__mro__ if base.__name__ in FAMILIES]

    assert len(families) == 1 or kind is GanglionError


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_code_is_documented(kind: type[GanglionError]) -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")

    assert f"| `{kind.code}` |" in page


def test_errors_are_defined_in_the_shared_vocabulary_only() -> None:
    names = {kind.__name__ for kind in ERRORS}

    elsewhere = [
        f"{source.place(node)} {node.name}: define it in core/*errors.py, where codes and remedies stand"
        for source in source_files("src")
        if not source.name.startswith("ganglion.core")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and names & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    ]

    assert not elsewhere, "\n".join(elsewhere)
