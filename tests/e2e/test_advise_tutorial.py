"""The page "Decide where to run", executed: programs, files and commands, in the order in which they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ganglion.entrypoints.settings.tree import child_environment
from source_tree import ROOT

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "tutorial" / "decide-where-to-run.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^\$ (.*)$", re.MULTILINE)
YAML = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"save (?:this|it) as `(\S+)`:\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def said(directory: Path) -> dict[str, str]:
    """Type every command of the page; return what each one printed."""
    for name, text in [*YAML.findall(PAGE), *PYTHON.findall(PAGE)]:
        (directory / name).write_text(text, encoding="utf-8")
    places = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return {
        line: subprocess.run(
            ["bash", "-c", line],
            cwd=directory,
            env=child_environment() | {"PATH": places},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in CONSOLE.findall(PAGE)
    }


def test_what_the_page_says_works_and_says_what_the_page_says(tmp_path: Path) -> None:
    printed = said(tmp_path)
    first, mapped, _, unmeasured, _, incomplete, fits, stored, pilot = [text for text in printed.values() if text]

    assert "No move is recommended" in first
    assert re.search(r"check/infer .* 2\.\d+ s ", first)
    assert "Look first at /v2/models/check/infer" in mapped
    assert "refused: way_back" in mapped
    assert "Not measured" in unmeasured
    assert "leaves out downtime risk" in incomplete
    assert fits.startswith("It fits")
    assert "sample is shed first" in stored
    assert "expand it" in pilot


def test_the_reports_of_the_page_reach_for_nothing_outside_themselves(tmp_path: Path) -> None:
    said(tmp_path)

    for name, pictures in (("cost.html", 3), ("place.html", 0)):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert page.count("<svg") == pictures
        assert re.findall(r"<script|<link|<img|src=|https?://", page) == []
