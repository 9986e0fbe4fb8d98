"""`ganglion simulate`, as it is typed."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.entrypoints.cli.tree import tree
from ganglion.entrypoints.simulate.files import read_traces

SMALL = ("--nodes", "4", "--hours", "12", "--seed", "5")


def simulate(*options: str) -> Result:
    return CliRunner().invoke(tree(["simulate"]), ["simulate", *options])


def test_it_prints_timeline_answers_figures_and_the_verdict_of_each_law() -> None:
    result = simulate(*SMALL, "--faults", "light")

    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if re.fullmatch(r"[A-Z]\w+", line)] == [
        "Timeline", "Answers", "Figures", "Laws",
    ]  # fmt: skip
    assert len(re.findall(r"^  \d  (held|unseen)", result.stdout, re.MULTILINE)) == 9


def test_the_same_seed_says_the_same_again_and_another_one_does_not() -> None:
    one, again, other = simulate(*SMALL), simulate(*SMALL), simulate(*SMALL, "--seed", "6")

    assert one.stdout == again.stdout != other.stdout


def test_json_has_the_verdicts_and_the_figures() -> None:
    outcome = json.loads(simulate(*SMALL, "-o", "json").stdout)

    assert [verdict["law"] for verdict in outcome["verdicts"]] == [*range(1, 10), 11]
    assert outcome["figures"]["made"]["result"] > 1_000_000
    assert outcome["nodes"] == 4


def test_a_report_needs_nothing_but_itself(tmp_path: Path) -> None:
    file = tmp_path / "report.html"

    simulate(*SMALL, "--report", str(file))

    page = file.read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    assert "http" not in page
    assert "<script" not in page


def test_a_scenario_in_yaml_is_read(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text('title: a barge\nhours: 8\ndevices: {nodes: 2, sites: 1}\nlink: {offline: ["2-4"]}\n')

    result = simulate("--scenario", str(file), "--faults", "none")

    assert result.stdout.startswith("a barge: 2 nodes, 8 h, seed 1\n")
    assert "no node has a link for 2 h" in result.stdout


def test_a_run_that_breaks_a_law_exits_with_1_names_its_seed_and_prints_a_short_test(tmp_path: Path) -> None:
    # Nobody can have what is wanted in no time at all after hours without a link.
    file = tmp_path / "fleet.toml"
    file.write_text(
        'hours = 10\nsettle_h = 0.00001\n[devices]\nnodes = 3\nsites = 1\n[link]\noffline = ["2-10"]\n'
        '[[releases]]\nversion = "2"\nat_h = 3\n'
    )

    result = simulate("--scenario", str(file), "--faults", "serving_killed=5", "--seed", "4")

    assert result.exit_code == 1
    assert "Seed 4 breaks a law" in result.stderr
    assert "def test_seed_4_keeps_law_8() -> None:" in result.stderr
    assert "0 of " in result.stderr


@pytest.mark.parametrize("name", ["ship", "mine", "factory", "retail", "vehicles"])
def test_a_profile_can_be_printed_to_begin_from(tmp_path: Path, name: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(simulate("--profile", name, "--show-profile").stdout)

    result = simulate("--scenario", str(file), "--nodes", "3", "--hours", "100", "--faults", "none")

    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--faults", "much"), "is no fault"),
        (("--profile", "submarine"), "there is no profile"),
        (("--profile", "ship", "--scenario", "x.toml"), "not both"),
        (("--profile", "ship", "--hours", "1"), "after the end"),
        (("--scenario", "/nowhere.toml"), "nowhere"),
        (("--trace", "/nowhere.csv"), "nowhere"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(options: tuple[str, ...], error: str) -> None:
    result = simulate(*options)

    assert result.exit_code != 0
    assert error in str(result.exception)


def test_measured_links_are_played(tmp_path: Path) -> None:
    file = tmp_path / "links.csv"
    rows = [f"train,{1000 * 60},{speed}" for speed in (0, 0, 0, 400, 50)]
    file.write_text("\n".join(["trace,duration_ms,bandwidth_kbps", *rows, "bus,60000,9000"]))

    train, bus = read_traces(file)

    assert (train.at(30.0), train.at(200.0), train.at(5 * 60.0 + 30.0), bus.at(1e6)) == (0.0, 400.0, 0.0, 9000.0)
    assert simulate(*SMALL, "--trace", str(file)).exit_code == 0


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "trace,duration_ms,bandwidth_kbps\nx,0,5\n", "trace,duration_ms,bandwidth_kbps\nx,nan,5\n"],
)
def test_a_file_that_holds_no_links_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "links.csv"
    file.write_text(text)

    with pytest.raises(InvalidRequest):
        read_traces(file)


def test_a_trace_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "links.csv.gz"
    file.write_text("trace")

    with pytest.raises(NotFound):
        read_traces(file)
