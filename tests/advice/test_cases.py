"""Worked cases that people can read: tests/advice/cases/*.yaml, each an input, its answer and the reason."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ganglion.core.errors import GanglionError
from ganglion.entrypoints.cli.tree import tree

CASES = [
    (f"{file.stem}: {case['case']}", case)
    for file in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
    for case in yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)
]
ANSWERED = [pair for pair in CASES if "error" not in pair[1]]
REFUSED = [pair for pair in CASES if "error" in pair[1]]


def answer(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    file = folder / "case.yaml"
    file.write_text(yaml.safe_dump(case["input"]), encoding="utf-8")
    result = CliRunner().invoke(tree(["advise"]), ["advise", case["advise"], "-f", str(file), "-o", "json"])
    if result.exception is not None:
        raise result.exception
    read: dict[str, Any] = json.loads(result.stdout)
    return read


def at(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree[int(name)] if isinstance(tree, list) else tree[name]
    return tree


def agrees(expected: Any, found: Any) -> bool:
    """Compare as precisely as the case was written: 10.43 is met by 10.4321."""
    if isinstance(found, bool) or found is None:
        return str(expected) == {True: "true", False: "false", None: "null"}[found]
    if isinstance(found, int | float):
        decimals = len(expected.partition(".")[2])
        return round(found, decimals) == float(expected)
    return bool(expected == found)


@pytest.mark.parametrize("case", [case for _, case in ANSWERED], ids=[name for name, _ in ANSWERED])
def test_a_case_has_the_answer_that_was_worked_out(case: dict[str, Any], tmp_path: Path) -> None:
    found = answer(case, tmp_path)

    wrong = {
        path: at(found, path) for path, expected in case["expect"].items() if not agrees(expected, at(found, path))
    }

    assert wrong == {}
    assert {name: len(found[name]) for name in case.get("holds", {})} == {
        name: int(count) for name, count in case.get("holds", {}).items()
    }


@pytest.mark.parametrize("case", [case for _, case in REFUSED], ids=[name for name, _ in REFUSED])
def test_a_case_that_makes_no_sense_is_refused_by_name(case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(GanglionError) as refusal:
        answer(case, tmp_path)

    assert refusal.value.code == case["error"]["code"]
    assert case["error"]["says"] in refusal.value.message


def test_every_case_says_why() -> None:
    assert len(CASES) >= 60
    assert [name for name, case in CASES if not case.get("why")] == []
