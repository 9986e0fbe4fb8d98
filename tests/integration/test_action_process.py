"""Actions run as real processes: no shell, nothing inherited, and an end whatever they do."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ganglion.adapters.action_process import ProcessActions
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import Overloaded
from ganglion.entrypoints.node import action_child
from ganglion.ports.action_runner import ActionCall, ActionOutcome
from ganglion.testing.waiting import wait_until

LONG_S = 20.0


def runner() -> ProcessActions:
    return ProcessActions(command=(sys.executable, "-I", "-S", action_child.__file__), clock=SystemClock())


def ran(*command: str, time_s: float = LONG_S, output_bytes: int = 10_000, directory: str = "/") -> ActionOutcome:
    return runner().run(ActionCall(command, directory, time_s, output_bytes))


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", text)


def test_the_output_and_the_exit_code_of_a_program_come_back() -> None:
    outcome = ran(*python("import sys; print('out'); print('err', file=sys.stderr, flush=True); sys.exit(3)"))

    assert outcome.code == 3
    assert sorted(outcome.output.split()) == [b"err", b"out"]
    assert outcome.ended_by == ""


def test_no_shell_reads_the_command_line() -> None:
    outcome = ran("/bin/echo", "$HOME; id > out `id` && id")

    assert outcome.output == b"$HOME; id > out `id` && id\n"


def test_nothing_of_the_agents_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANGLION_SECRET", "mine")

    outcome = ran("/usr/bin/env")

    assert b"mine" not in outcome.output
    assert {line.partition(b"=")[0] for line in outcome.output.splitlines()} == {b"PATH", b"LANG", b"HOME"}


def test_no_file_of_the_agent_is_open_in_an_action(tmp_path: Path) -> None:
    with (tmp_path / "key").open("wb") as held:
        os.set_inheritable(held.fileno(), True)

        outcome = ran(*python("import os; print(sorted(os.listdir('/proc/self/fd')))"))

    assert str(held).encode() not in outcome.output
    assert outcome.output.count(b"'") // 2 <= 4


def test_an_action_runs_with_low_priority_in_the_directory_that_it_was_given(tmp_path: Path) -> None:
    outcome = ran(*python("import os; print(os.nice(0), os.getcwd())"), directory=str(tmp_path))

    assert outcome.output.split() == [str(min(os.nice(0) + 10, 19)).encode(), str(tmp_path).encode()]


def test_a_program_that_goes_on_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    text = f"import os, time\nif os.fork() == 0: open({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(1000)"

    outcome = ran(*python(text), time_s=2.0)

    assert outcome.ended_by == "time"
    assert outcome.code < 0
    wait_until(lambda: _is_dead(int(mark.read_text())), what="the end of the child's child", timeout_s=LONG_S)


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_program_that_writes_without_end_is_ended_at_its_limit() -> None:
    outcome = ran("/usr/bin/yes", output_bytes=5000)

    assert outcome.ended_by == "output"
    assert len(outcome.output) == 5000


def test_a_program_is_over_when_it_ends_whoever_else_holds_its_pipe() -> None:
    text = "import os, time\nif os.fork(): print('parent', flush=True); os._exit(0)\nos.setsid(); time.sleep(2)"

    outcome = ran(*python(text))

    assert (outcome.code, outcome.output, outcome.ended_by) == (0, b"parent\n", "")


def test_a_program_that_closes_its_output_is_still_waited_for() -> None:
    outcome = ran(*python("import os, sys\nos.close(1); os.close(2)\nsys.exit(5)"))

    assert (outcome.code, outcome.ended_by) == (5, "")


@pytest.mark.parametrize("command", ["/no/such/program", "/etc/passwd", "/"])
def test_what_is_no_program_is_told_and_has_a_code_of_its_own(command: str) -> None:
    outcome = ran(command)

    assert outcome.code == 126
    assert command.encode() in outcome.output


def test_a_directory_that_is_not_there_is_told() -> None:
    assert ran("/bin/true", directory="/no/such/place").code == 126


def test_an_agent_that_ends_takes_its_actions_along_and_begins_no_more() -> None:
    actions = runner()
    outcomes: list[ActionOutcome] = []
    call = ActionCall(("/bin/sleep", "1000"), "/", 1000.0, 10)
    thread = threading.Thread(target=lambda: outcomes.append(actions.run(call)), daemon=True)
    thread.start()
    wait_until(lambda: actions.running > 0, what="the start of the action", timeout_s=LONG_S)

    actions.stop()
    thread.join(LONG_S)

    assert [outcome.code for outcome in outcomes] == [-9]
    with pytest.raises(Overloaded):
        actions.run(call)


AGENT = """
from ganglion.adapters.action_process import ProcessActions
from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.node import action_child
from ganglion.ports.action_runner import ActionCall
import sys
runner = ProcessActions(command=(sys.executable, "-I", "-S", action_child.__file__), clock=SystemClock())
runner.run(ActionCall((sys.executable, "-I", "-S", "-c", sys.argv[1]), "/", 1000.0, 10))
"""


def test_an_agent_that_is_killed_takes_its_action_along(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    text = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid()) + ' '); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", AGENT, text]) as agent:
        wait_until(
            lambda: mark.exists() and mark.read_text().endswith(" "), what="the start of the action", timeout_s=LONG_S
        )

        agent.kill()

    wait_until(lambda: _is_dead(int(mark.read_text())), what="the end of the action", timeout_s=LONG_S)
