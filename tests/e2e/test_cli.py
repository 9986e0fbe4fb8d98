"""The command line as a shell sees it: streams, exit codes, and what happens when it is interrupted."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

GANGLION = (sys.executable, "-m", "ganglion.entrypoints.cli.main")
DEADLINE_S = 30.0
HEAVY = {"numpy", "urllib3", "msgspec", "onnxruntime", "cryptography", "fastapi", "sqlalchemy", "rich", "sklearn"}


@dataclass(frozen=True)
class User:
    """Somebody with a shell and a configuration directory of their own."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GANGLION_")}
        return inherited | {"XDG_CONFIG_HOME": str(self.home), "HOME": str(self.home)}

    def run(self, *words: str, stdin: int = subprocess.DEVNULL, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*GANGLION, *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env=self.environment | environment,
            stdin=stdin,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*GANGLION, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self.environment,
        )


@dataclass(frozen=True)
class RunningHub:
    url: str
    token: str
    ca_pin: str


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    data = tmp_path_factory.mktemp("hub")
    with User(data).start("hub", "run", "--data", str(data / "data"), "--port", "0") as process:
        assert process.stdout is not None
        command = next(line.split() for line in process.stdout if line.strip().startswith("ganglion login"))
        yield RunningHub(url=command[2], token=command[4], ca_pin=command[6])
        process.terminate()
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


# --- without a hub --------------------------------------------------------------------------------


def test_help_needs_nothing_heavy() -> None:
    program = "import sys, ganglion.entrypoints.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()

    assert HEAVY & set(loaded) == set()


def test_help_names_every_group(user: User) -> None:
    result = user.run("--help")

    assert result.returncode == 0
    for group in ("hub", "node", "model", "rollout", "sample", "dataset", "event", "result", "login", "version"):
        assert f"\n  {group} " in result.stdout


def test_without_a_command_the_help_is_shown(user: User) -> None:
    result = user.run()

    assert result.returncode == 2
    assert "Usage: ganglion" in result.stderr


def test_data_goes_to_one_stream_and_errors_to_the_other(user: User) -> None:
    version, refused = user.run("version", "-o", "json"), user.run("node", "list")

    assert (json.loads(version.stdout)["ganglion"] != "", version.stderr) == (True, "")
    assert (refused.stdout, refused.stderr.startswith("error: ")) == ("", True)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("node", "fly"), 2, "No such command"),
        (("node", "list", "--warp"), 2, "No such option"),
        (("rollout", "start", "digits"), 2, "MODEL:VERSION"),
        (("login", "http://hub"), 2, "https://HOST:PORT"),
        (("node", "list"), 4, "ganglion login"),
        (("node", "list", "--hub", "https://127.0.0.1:1", "--token", "t", "--ca-pin", "0" * 64), 6, "refused"),
        (("node", "list", "--config", "missing.toml"), 2, "missing.toml cannot be read"),
        (("hub", "run", "--port", "-1"), 2, "hub.port"),
    ],
)
def test_a_failure_has_its_exit_code_and_its_reason(user: User, words: Sequence[str], code: int, reason: str) -> None:
    result = user.run(*words)

    assert (result.returncode, result.stdout) == (code, "")
    assert reason in result.stderr
    assert "Traceback" not in result.stderr


def test_with_json_an_error_is_one_object(user: User) -> None:
    result = user.run("node", "list", "-o", "json")

    error = json.loads(last_line(result.stderr))["error"]
    assert (error["code"], result.returncode) == ("unauthenticated", 4)


def test_a_misspelt_variable_is_named(user: User) -> None:
    result = user.run("node", "list", GANGLION_CLIENT_HBU="https://hub")

    assert result.returncode == 2
    assert "did you mean GANGLION_CLIENT_HUB?" in result.stderr


def test_the_traceback_is_for_those_who_ask(user: User) -> None:
    assert "Traceback" in user.run("node", "list", "--debug").stderr
    assert "Traceback" in user.run("--debug", "node", "list").stderr


def test_without_its_extra_the_hub_says_what_to_install(user: User, tmp_path: Path) -> None:
    absent = "raise ModuleNotFoundError(\"No module named 'fastapi'\", name='fastapi')"
    (tmp_path / "fastapi.py").write_text(absent, encoding="utf-8")

    result = user.run("hub", "run", "--data", str(tmp_path / "data"), PYTHONPATH=str(tmp_path))

    assert result.returncode == 7
    assert "pip install 'ganglion[hub]'" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_reader_that_leaves_early_causes_no_traceback(user: User) -> None:
    with user.start("version", "-o", "json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_an_interrupted_command_says_nothing_and_ends_with_130(user: User) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(DEADLINE_S)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with user.start("node", "list", "--hub", url, "--token", "t", "--ca-pin", "0" * 64) as process:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=DEADLINE_S)
            connection.close()

    assert (process.returncode, stderr) == (130, "")


# --- with a hub -----------------------------------------------------------------------------------


def test_a_first_login_leads_to_an_empty_list_that_says_what_to_do(user: User, hub: RunningHub) -> None:
    login = user.run("login", hub.url, "--token", hub.token, "--ca-pin", hub.ca_pin)
    nodes = user.run("node", "list")

    assert (login.returncode, login.stdout, login.stderr) == (0, "", f"logged in to {hub.url} as admin (admin)\n")
    assert (nodes.returncode, nodes.stdout) == (0, "")
    assert "ganglion node token NAME" in nodes.stderr


def test_a_login_without_a_pin_needs_a_person(user: User, hub: RunningHub) -> None:
    result = user.run("login", hub.url, "--token", hub.token)

    assert result.returncode == 2
    assert hub.ca_pin in result.stderr


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 4)])
def test_a_person_compares_the_pin(user: User, hub: RunningHub, answer: bytes, code: int) -> None:
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, answer)
        result = user.run("login", hub.url, "--token", hub.token, stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert result.returncode == code
    assert hub.ca_pin in result.stderr


def test_another_authority_ends_with_the_code_for_proofs(user: User, hub: RunningHub) -> None:
    result = user.run("login", hub.url, "--token", hub.token, "--ca-pin", "0" * 64)

    assert result.returncode == 4
    assert "expected was" in result.stderr
    assert not (user.home / "ganglion").exists()


def test_what_is_not_there_ends_with_3(user: User, hub: RunningHub) -> None:
    user.run("login", hub.url, "--token", hub.token, "--ca-pin", hub.ca_pin)

    assert user.run("node", "show", "nobody").returncode == 3


def test_settings_name_a_hub_as_well_as_options_do(user: User, hub: RunningHub, tmp_path: Path) -> None:
    config = tmp_path / "ganglion.toml"
    config.write_text(f'[client]\nhub = "{hub.url}"\nca_pin = "{hub.ca_pin}"\n', encoding="utf-8")

    by_file = user.run("node", "list", "-o", "json", "--config", str(config), GANGLION_CLIENT_TOKEN=hub.token)
    by_variable = user.run("node", "list", "-o", "json", GANGLION_CONFIG=str(config), GANGLION_CLIENT_TOKEN=hub.token)

    assert json.loads(by_file.stdout) == json.loads(by_variable.stdout) == []


def test_a_lost_token_is_replaced_on_the_hubs_own_machine(user: User, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with user.start("hub", "run", "--data", str(data), "--port", "0") as process:
        assert process.stdout is not None
        command = next(line.split() for line in process.stdout if line.strip().startswith("ganglion login"))
        hub = RunningHub(url=command[2], token=command[4], ca_pin=command[6])

        renewed = user.run("hub", "token", "--data", str(data)).stdout.strip()

        options = ("--hub", hub.url, "--ca-pin", hub.ca_pin)
        assert user.run("node", "list", *options, "--token", renewed).returncode == 0
        assert user.run("node", "list", *options, "--token", hub.token).returncode == 4
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def test_a_token_for_a_hub_that_is_not_there_ends_with_3(user: User, tmp_path: Path) -> None:
    result = user.run("hub", "token", "--data", str(tmp_path / "nothing"))

    assert (result.returncode, "not the data directory of a hub" in result.stderr) == (3, True)
