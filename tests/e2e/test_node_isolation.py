"""A node's supervisor and a committed model that hangs: the others serve on, and it is not loaded for ever."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from e2e.serving_world import FEATURES, write_model
from e2e.wild_models import FOR_EVER, write_spinner
from ganglion.entrypoints.settings.tree import child_environment
from ganglion.ports.serving_control import ActiveModel, ActiveModels
from ganglion.testing.processes import free_port
from ganglion.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

SETTINGS = """
[node.serving]
run_s_max = 1.0
deaths_max = 2
"""
SOON_S = 30.0


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Start a node that has committed a good model and one that can hang; return where it answers."""
    data, port = tmp_path / "node", free_port()
    spinner = write_spinner(data / "packages" / "spinner" / "1")
    good = write_model(data / "packages", name="good", version="1", seed=1)
    active = ActiveModels({"spinner": ActiveModel("1", str(spinner)), "good": ActiveModel("1", str(good))})
    (data / "active.json").write_bytes(msgspec.json.encode(active))
    (tmp_path / "node.toml").write_text(SETTINGS)
    command = (sys.executable, "-m", "ganglion.entrypoints.cli.main", "node", "run")
    options = ("--data", str(data), "--port", str(port), "--config", str(tmp_path / "node.toml"))
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL, env=child_environment())
    wait_until(lambda: ask(port, "good", FEATURES)[0] == http.client.OK, what="the node", timeout_s=SOON_S)
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 0


def ask(port: int, model: str, length: int, value: float = 1.0) -> tuple[int, str]:
    """Return status and code of an answer; (0, "") without one."""
    item = {"name": "x", "datatype": "FP32", "shape": [1] if length == 1 else [1, length], "data": [value] * length}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S)) as connection:
        try:
            connection.request("POST", f"/v2/models/{model}/infer", json.dumps({"inputs": [item]}))
            response = connection.getresponse()
            return response.status, json.loads(response.read()).get("code", "")
        except (OSError, http.client.HTTPException):
            return 0, ""


def test_a_committed_model_that_hangs_twice_is_quarantined_and_the_other_one_answers(port: int) -> None:
    for _ in range(2):
        wait_until(lambda: ask(port, "spinner", 1)[0] == http.client.OK, what="the model", timeout_s=SOON_S)
        assert ask(port, "spinner", 1, FOR_EVER) == (504, "model_hung")

    wait_until(lambda: ask(port, "good", FEATURES)[0] == http.client.OK, what="the other model", timeout_s=SOON_S)

    assert ask(port, "spinner", 1) == (503, "model_quarantined")
