import gzip
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from advise_schemas import FOLDER, text_of
from ganglion.advisor.cost import advice as cost
from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.entrypoints.advise import files as advise_files
from ganglion.entrypoints.advise import report as advise_report
from ganglion.entrypoints.advise.schema import ANSWERS
from ganglion.entrypoints.cli.app import app

CASE = {"capex": "499 USD", "cloud_month": "1440 USD/month", "edge_opex_month": "5 USD/month", "horizon": "36 months"}


def tree_of(folder: Path, name: str, text: str) -> dict[str, object]:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return dict(advise_files.read_tree(file))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("case.yaml", "price: 0.1000000000000000000001\ncountry: NO\nlist: [1, {a: yes}]\n"),
        ("case.json", '{"price": 0.1000000000000000000001, "country": "NO", "list": [1, {"a": "yes"}]}'),
        ("case.toml", 'price = 0.1000000000000000000001\ncountry = "NO"\nlist = [1, {a = "yes"}]\n'),
    ],
)
def test_every_form_of_a_case_is_read_as_the_same_text(tmp_path: Path, name: str, text: str) -> None:
    tree = tree_of(tmp_path, name, text)

    assert tree == {"price": "0.1000000000000000000001", "country": "NO", "list": ["1", {"a": "yes"}]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("case.yaml", "a: 1\na: 2\n"),
        ("case.json", '{"a": 1, "a": 2}'),
        ("case.yaml", "a: &x [1]\nb: *x\n"),
        ("case.yaml", "- 1\n"),
        ("case.yaml", "a: [1\n"),
        ("case.json", "[" * 5000),
        ("case.yaml", "[" * 5000),
        ("case.toml", "a = \n"),
    ],
)
def test_what_is_no_case_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InvalidRequest):
        tree_of(tmp_path, name, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"missing\.yaml"):
        advise_files.read_tree(tmp_path / "missing.yaml")


def test_a_setting_goes_over_what_a_file_says() -> None:
    tree = advise_files.with_settings({"Edge": {"power": "5 W"}}, ["edge.power=7 W", "sites=3"])

    assert tree == {"Edge": {"power": "7 W"}, "sites": "3"}


def test_a_packed_log_is_read(tmp_path: Path) -> None:
    file = tmp_path / "access.log.gz"
    file.write_bytes(gzip.compress(b"model,latency_ms\na,12\n"))

    assert advise_files.read_log(file) == "model,latency_ms\na,12\n"


@pytest.mark.parametrize("command", ANSWERS)
def test_the_shipped_schema_is_that_of_the_answers(command: str) -> None:
    assert (FOLDER / f"{command}.json").read_text(encoding="utf-8") == text_of(command), "run tools/advise_schemas.py"


def test_an_answer_is_read_back_by_its_own_schema(tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps(CASE), encoding="utf-8")

    printed = CliRunner().invoke(app, ["advise", "cost", "-f", str(file), "-o", "json"]).stdout

    assert msgspec.json.decode(printed, type=ANSWERS["cost"]) == cost.advise(dict(CASE), advise_files.thumb_rules())


def test_two_files_may_not_say_the_same(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps(CASE), encoding="utf-8")

    result = CliRunner().invoke(
        app, ["advise", "cost", "-f", str(tmp_path / "one.json"), "-f", str(tmp_path / "two.json")]
    )

    assert isinstance(result.exception, InvalidRequest)


def test_a_report_shows_words_of_a_case_as_words() -> None:
    page = advise_report.page(cost.advise({**CASE, "name": "<script>alert(1)</script>"}))

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<svg") == 2


def test_there_is_no_report_of_what_has_no_picture(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["advise", "place", "--latency-budget", "50 ms", "--tier", "cloud"])

    assert isinstance(result.exception, InvalidRequest)
