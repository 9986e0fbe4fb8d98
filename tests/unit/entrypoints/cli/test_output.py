import json
from dataclasses import dataclass, field

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ganglion.entrypoints.cli import cells, yaml_text
from ganglion.entrypoints.cli.output import OutputFormat, emit, note, say
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


@dataclass(frozen=True, slots=True)
class Verdict:
    node_id: str
    seen_at_s: float
    reason: str


LONG = Verdict("0eade3815631abcc16033ea38923aa24", 0.0, "errors 9 of 12 (75.0%, limit 2.0%)" + 9 * " and more")


def test_a_table_fits_its_terminal_and_cuts_neither_ids_nor_times() -> None:
    head, line, _ = cells.table([LONG], width=80).split("\n")

    assert len(line) == 80
    assert line.startswith(f"{LONG.node_id}  1970-01-01 00:00:00Z  errors 9 of 12")
    assert line.endswith("…")
    assert head.endswith("REASON")


def test_a_table_that_a_program_reads_is_never_cut() -> None:
    assert LONG.reason in cells.table([LONG])


def test_a_terminal_too_narrow_for_ids_shows_them_all_the_same() -> None:
    assert LONG.node_id in cells.table([LONG], width=10)


@dataclass(frozen=True, slots=True)
class Story:
    history: list[Verdict]


def test_the_last_column_of_a_table_inside_of_a_record_is_wrapped_and_never_cut() -> None:
    lines = cells.record(Story([LONG]), width=100).splitlines()

    assert max(map(len, lines)) <= 100
    assert " ".join("\n".join(lines).split()).endswith(LONG.reason.removesuffix(" and more") + " and more")
    assert "…" not in "".join(lines)


@dataclass(frozen=True, slots=True)
class Budget:
    telemetry_bytes_max: int = 50_000_000_000
    site_bytes_per_s_max: int = 500_000
    no_limit_bytes_per_s: int = 0
    sent_bytes: dict[str, int] = field(default_factory=lambda: {"audit": 280})
    machine: dict[str, float] = field(default_factory=lambda: {"disk_free_bytes": 7.153e10, "cpu_share": 0.5})


def test_every_figure_has_the_unit_that_its_name_states() -> None:
    assert cells.record(Budget()).splitlines() == [
        "TELEMETRY MAX         50 GB",
        "SITE BYTES PER S MAX  500 kB/s",
        "NO LIMIT BYTES PER S  -",
        "SENT                  audit=280 B",
        "MACHINE               disk_free_bytes=71.5 GB cpu_share=0.5",
    ]


@pytest.mark.parametrize("at_s", [1e300, -1e300, float("nan"), float("inf")])
def test_a_time_that_no_calendar_has_ends_no_command(at_s: float) -> None:
    assert cells.moment(at_s) == f"{at_s:g} s"


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


HOSTILE = "\x1b]52;c;cm0=\x07\x9b2J\u202etxt\r"


@pytest.mark.parametrize("fmt", list(OutputFormat))
def test_in_no_form_does_what_a_node_has_written_do_anything_to_a_terminal(
    fmt: OutputFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    emit([Thing(HOSTILE)], fmt)

    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(capsys.readouterr().out)


def test_json_holds_what_was_written_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    emit([Thing(HOSTILE)], OutputFormat.JSONL)

    assert json.loads(capsys.readouterr().out)["name"] == HOSTILE


def test_lines_and_notes_do_nothing_to_a_terminal_and_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one\n\ttwo {HOSTILE}\n")
    note(f"three {HOSTILE}")

    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "one"
    assert printed.out.startswith("one\n\ttwo ?]52;c;cm0=??2J?txt?")
    assert printed.err == "three ?]52;c;cm0=??2J?txt?\n"
