# ruff: noqa: S603 - the one command started here is our own, by the path of this interpreter
"""Real programs for end-to-end tests and the demo: a hub, nodes, and the means to kill them.

They are started as a user starts them, from the command line, and are gone when their context ends, or when the
program that started them is killed.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ganglion.adapters.system import SystemClock
from ganglion.core.errors import Unavailable
from ganglion.testing.tied import COMMAND, tied
from ganglion.testing.waiting import wait_until

_START_S = 60.0
_STOP_S = 20.0
_COMMAND = (sys.executable, "-m", COMMAND)


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class CommandLineProgram:
    """One long-running `ganglion` command; its output goes to files, so that it can never block on them."""

    def __init__(self, arguments: Sequence[str], directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._arguments = tuple(arguments)
        self.output, self.errors = directory / "stdout.log", directory / "stderr.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, and kill it if it does not stop."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the command itself."""
        assert self._process is not None, "the program was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Say whether the command has not ended yet."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the command; what it wrote before stays in the files."""
        with self.output.open("ab") as output, self.errors.open("ab") as errors:
            self._process = _spawn(self._arguments, output, errors)

    def stop(self) -> int:
        """Ask it to end, as Ctrl-C does, and return its exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def kill(self) -> None:
        """End it without a word, as the kernel or a power cut does."""
        assert self._process is not None, "the program was not started"
        self._process.kill()
        self._process.wait()

    def log_lines(self) -> Iterator[dict[str, object]]:
        """Yield what it logged so far, one dictionary a line."""
        for line in self.errors.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry

    def _wait_for(self, file: Path, *, what: str) -> dict[str, object]:
        def ready() -> dict[str, object] | None:
            if not self.is_running:
                raise Unavailable(f"{what} ended at its start: {self._last_words()}")
            try:
                document = json.loads(file.read_bytes())
            except (FileNotFoundError, json.JSONDecodeError):
                return None
            return document if isinstance(document, dict) else None

        return wait_until(ready, what=f"{what} to start", timeout_s=_START_S)

    def _last_words(self) -> str:
        lines = self.errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


class HubProcess(CommandLineProgram):
    """`ganglion hub run`."""

    def __init__(self, data: Path, *, port: int) -> None:
        super().__init__(("hub", "run", "--data", str(data), "--port", str(port)), data.parent / f"{data.name}-logs")
        self.data, self.port = data, port
        self.url = f"https://127.0.0.1:{port}"
        self._runs = data / "run" / "hub.json"

    def start(self) -> None:
        """Start it and return when it answers."""
        self._runs.unlink(missing_ok=True)
        super().start()
        self._wait_for(self._runs, what="the hub")

    @property
    def ca_pin(self) -> str:
        """The pin of the hub's certificate authority."""
        return str(json.loads(self._runs.read_bytes())["ca_pin"])

    def first_token(self) -> str:
        """Return the token that the hub printed at its first start."""

        def printed() -> str | None:
            words = self.output.read_text(encoding="utf-8").split()
            return words[words.index("--token") + 1] if "--token" in words else None

        return wait_until(printed, what="the first account's token", timeout_s=_START_S)


class NodeProcess(CommandLineProgram):
    """`ganglion node run`: the supervisor, with an agent and a serving process below it."""

    def __init__(self, data: Path, *, port: int, config: Path | None = None) -> None:
        arguments = ["node", "run", "--data", str(data), "--port", str(port)]
        super().__init__(
            [*arguments, *(["--config", str(config)] if config else [])], data.parent / f"{data.name}-logs"
        )
        self.data, self.port = data, port

    def child(self, name: str) -> int:
        """Return the process id of the present "agent" or "serving" process."""

        def found() -> int | None:
            pids = [
                entry["pid"]
                for entry in self.log_lines()
                if entry.get("event") == "process.started" and entry.get("program") == name
            ]
            return int(str(pids[-1])) if pids else None

        return wait_until(found, what=f"the {name} process", timeout_s=_START_S)

    def kill_child(self, name: str) -> None:
        """Kill the agent or the serving process; the supervisor starts it again."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child(name), signal.SIGKILL)


def join(url: str, token: str, data: Path) -> None:
    """Run `ganglion node join`. Raises: Unavailable: it failed, with what it said."""
    result = subprocess.run(
        [*_COMMAND, "node", "join", url, "--token", token, "--data", str(data)],
        capture_output=True, check=False, timeout=_START_S, text=True,
    )  # fmt: skip
    if result.returncode:
        raise Unavailable(f"node join: {result.stderr.strip()}")


def clock_s() -> float:
    """Return the monotonic clock; end-to-end figures are real time."""
    return SystemClock().monotonic_s()


def _spawn(arguments: Sequence[str], output: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    is_lasting = threading.current_thread() is threading.main_thread()
    command = tied(*arguments) if is_lasting else [*_COMMAND, *arguments]
    # A session of its own: Ctrl-C reaches the program that started all this, which then stops them in order.
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True)
