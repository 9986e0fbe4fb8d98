import json

import pytest
import structlog

from ganglion.entrypoints.processes.logs import configure_logs, set_log_level


@pytest.fixture(autouse=True)
def _as_before() -> object:
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


def test_the_level_of_a_running_process_can_be_changed_and_left_to_itself_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("agent")
    log = structlog.get_logger()
    log.debug("quiet.one")
    log.info("told.one")

    set_log_level("debug")
    log.debug("told.two")
    set_log_level("error")
    log.warning("quiet.two")
    log.error("told.three")
    set_log_level("")
    log.debug("quiet.three")
    log.info("told.four")

    lines = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["told.one", "told.two", "told.three", "told.four"]


def test_an_exception_is_told_at_the_level_of_errors(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("agent")
    set_log_level("error")

    structlog.get_logger().exception("work.failed", exc_info=ValueError("broken"))

    assert "broken" in capsys.readouterr().err


def test_on_a_terminal_nothing_that_is_logged_does_anything_but_stand_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    configure_logs("agent")

    structlog.get_logger().warning("desired.delayed", reason="\x1b]52;c;cm0=\x07 and\r\nupdate.committed")

    shown = capsys.readouterr().err
    assert "]52;c;cm0=" in shown
    assert "\x1b]" not in shown
    assert len(shown.splitlines()) == 1
