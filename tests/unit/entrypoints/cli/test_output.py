import json
from dataclasses import dataclass, field

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ganglion.entrypoints.cli import cells, yaml_text
from ganglion.entrypoints.cli.output import OutputFormat, emit
from ganglion.wire.resources import FactsView, NodeView


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    seen_at_s: float | None = None
    size_bytes: int = 0
    parts: list[Part] = field(default_factory=list)
    tags: dict[str, float] = field(default_factory=dict)


THING = Thing("gate-1", 0.0, 1_234_567, [Part("lens"), Part("lamp", 2)], {"accuracy": 0.98765})


def test_a_table_shows_times_as_utc_and_sizes_with_units(capsys: pytest.CaptureFixture[str]) -> None:
    emit([THING, Thing("gate-10")], columns=["name", "seen_at_s", "size_bytes"])

    assert capsys.readouterr().out.splitlines() == [
        "NAME     SEEN AT               SIZE",
        "gate-1   1970-01-01 00:00:00Z  1.23 MB",
        "gate-10  -                     0 B",
    ]


def test_one_value_is_shown_with_its_parts_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    emit(THING)

    assert capsys.readouterr().out.splitlines() == [
        "NAME     gate-1",
        "SEEN AT  1970-01-01 00:00:00Z",
        "SIZE     1.23 MB",
        "PARTS",
        "  NAME  COUNT",
        "  lens  1",
        "  lamp  2",
        "TAGS     accuracy=0.9877",
    ]


def test_an_empty_table_says_what_to_do_on_the_other_stream(capsys: pytest.CaptureFixture[str]) -> None:
    emit([], empty="make one")

    assert capsys.readouterr() == ("", "make one\n")


def test_json_is_one_document_and_jsonl_one_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    emit([THING, THING], OutputFormat.JSON)
    document = json.loads(capsys.readouterr().out)
    emit([THING, THING], OutputFormat.JSONL)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert document == lines
    assert lines[0]["parts"][1] == {"name": "lamp", "count": 2}


def test_yaml_says_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit([THING], OutputFormat.JSON)
    document = json.loads(capsys.readouterr().out)

    emit([THING], OutputFormat.YAML)

    assert yaml.safe_load(capsys.readouterr().out) == document


def test_nothing_from_outside_can_steer_the_terminal() -> None:
    assert cells.text("\x1b[2Jgone\nline\u202e") == "?[2Jgone?line?"


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (62_500_000, "62.5 MB"), (5 * 10**18, "5e+06 TB")],
)
def test_a_size_has_the_unit_that_fits(size_bytes: int, text: str) -> None:
    assert cells.size(size_bytes) == text


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(values)
def test_every_value_survives_yaml(value: object) -> None:
    assert yaml.safe_load(yaml_text.dumps(value)) == value


@pytest.mark.parametrize("word", ["yes", "No", "null", "~", "1e3", "0x10", "2026-11-21", "", "- a", "a: b", "#", "'"])
def test_text_that_looks_like_something_else_stays_text(word: str) -> None:
    assert yaml.safe_load(yaml_text.dumps([word])) == [word]


def test_a_value_inside_of_a_record_is_told_by_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    node = NodeView(
        node_id="1",
        name="gate-1",
        site="porto",
        zone="plant",
        node_class="x86_64-4",
        state="active",
        enrolled_at_s=1.0,
        last_seen_at_s=None,
        facts=FactsView(arch="x86_64", cores=4, memory_bytes=8_000_000_000),
    )

    emit(node, OutputFormat.TABLE, columns=["name", "facts"])

    assert "arch=x86_64 runtime=- runtimes=- cores=4 memory_bytes=8 GB release=-" in capsys.readouterr().out
