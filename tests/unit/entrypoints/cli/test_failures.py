import json

import pytest

from ganglion.core.errors import GanglionError, MissingExtra, NotFound
from ganglion.entrypoints.cli.extras import needs_extra
from ganglion.entrypoints.cli.failures import FailureStyle, report
from ganglion.wire.problems import EXIT_FAILED, EXIT_NOT_FOUND, all_errors, exit_code_of


def test_an_error_is_one_line_and_what_to_do_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    code = report(NotFound("no node is named 'x'"), FailureStyle())

    assert code == EXIT_NOT_FOUND
    assert capsys.readouterr() == ("", f"error: no node is named 'x'\n  {NotFound.remedy}\n")


def test_with_json_the_error_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    report(NotFound("no node is named 'x'"), FailureStyle(as_json=True))

    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], error["detail"]) == ("not_found", "no node is named 'x'")


def test_an_unexpected_error_is_one_line_that_names_the_way_to_more(capsys: pytest.CaptureFixture[str]) -> None:
    code = report(ZeroDivisionError("division by zero"), FailureStyle())

    assert code == EXIT_FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: division by zero" in line
    assert "--debug" in line


def test_the_traceback_is_for_those_who_ask(capsys: pytest.CaptureFixture[str]) -> None:
    report(ZeroDivisionError("division by zero"), FailureStyle(with_traceback=True))

    assert "ZeroDivisionError" in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_ends_a_command_with_a_code_that_is_not_success(kind: type[GanglionError]) -> None:
    assert 0 < exit_code_of(kind) < 128


@pytest.mark.parametrize(
    "arguments",
    [["x", "-o", "json"], ["x", "-ojson"], ["x", "-o=jsonl"], ["--output", "jsonl", "x"], ["x", "--output=json"]],
)
def test_each_way_to_ask_for_json_is_understood(arguments: list[str]) -> None:
    assert FailureStyle.of(arguments).as_json


@pytest.mark.parametrize("arguments", [[], ["x", "-o"], ["x", "-o", "yaml", "json"], ["json"]])
def test_json_is_for_those_who_ask(arguments: list[str]) -> None:
    assert not FailureStyle.of(arguments).as_json


def test_a_missing_package_is_named_with_its_extra() -> None:
    advice = r"the hub needs fastapi; run: pip install 'ganglion\[hub\]'"

    with pytest.raises(MissingExtra, match=advice), needs_extra("hub", "the hub"):
        raise ModuleNotFoundError("No module named 'fastapi'", name="fastapi")


def test_a_module_of_our_own_that_is_missing_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError), needs_extra("hub", "the hub"):
        raise ModuleNotFoundError("No module named 'ganglion.x'", name="ganglion.x")
