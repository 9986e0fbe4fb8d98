"""The README's walk-through, executed: what a stranger types leads to an answer of their own model."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ganglion.testing.processes import HubProcess, NodeProcess, free_port
from ganglion.testing.waiting import wait_until
from source_tree import ROOT

pytestmark = pytest.mark.e2e

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
INSTALLING = ("make ", "python3 ", ".venv/", "source ")
"""What the test run itself began with."""
CONFIG_HOME = "XDG_CONFIG_HOME"


def write_somebodys_model(file: Path) -> None:
    """An ONNX file as users have them: its batch dimension has a name, its output is a probability."""
    weights = numpy_helper.from_array(np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["probability"], axis=1)],
        "gate",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch", 3])],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)


@dataclass(slots=True)
class Reader:
    """Somebody who types what the page says, with the ports and tokens of this run in place of those on the page."""

    directory: Path
    stack: ExitStack
    hub: HubProcess
    node: NodeProcess
    join_token: str = ""
    said: dict[str, str] = field(default_factory=dict)

    def type(self, line: str) -> None:
        if line.startswith("ganglion hub run"):
            self.stack.enter_context(self.hub)
        elif line.startswith("ganglion node run"):
            self.stack.enter_context(self.node)
        else:
            self.said[line] = self.run(line)
        if line.startswith("ganglion node token"):
            self.join_token = next(word for word in self.said[line].split() if word.endswith(self.hub.ca_pin))

    def run(self, line: str) -> str:
        result = subprocess.run(
            ["bash", "-c", self._of_thisrun(line)],
            cwd=self.directory,
            env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", CONFIG_HOME: str(self.directory / "config")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def _of_thisrun(self, line: str) -> str:
        line = line.replace("https://127.0.0.1:8443", self.hub.url).replace(":8080", f":{self.node.port}")
        if "ACCOUNT_TOKEN" in line:
            line = line.replace("ACCOUNT_TOKEN", self.hub.first_token()).replace("CA_PIN", self.hub.ca_pin)
        return line.replace("JOIN_TOKEN", self.join_token)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    assert shutil.which("curl"), "the page uses curl"
    write_somebodys_model(tmp_path / "gate.onnx")
    with ExitStack() as stack:
        yield Reader(
            tmp_path,
            stack,
            hub=HubProcess(tmp_path / "hub", port=free_port()),
            node=NodeProcess(tmp_path / "node", port=free_port()),
        )


def lines_of_the_readme() -> list[str]:
    text = "".join(BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    lines = [line.removeprefix("$ ") for line in text.splitlines()]
    return [line for line in lines if not line.startswith(INSTALLING)]


def test_the_readme_leads_a_stranger_to_an_answer_of_their_own_model_with_and_without_the_hub(reader: Reader) -> None:
    lines = lines_of_the_readme()
    look_it_up = next(line for line in lines if line.startswith("ganglion result list"))
    first = lines[: lines.index(look_it_up)]
    ask = next(line for line in first if line.startswith("curl"))

    for line in first:
        reader.type(line)

    answer = json.loads(reader.said[ask])
    assert answer["model_name"] == "gate"
    assert sum(answer["outputs"][0]["data"]) == pytest.approx(1.0, abs=1e-5)
    wait_until(lambda: "gate" in reader.run(look_it_up), what="the result at the hub", timeout_s=30)
    reader.hub.kill()
    assert json.loads(reader.run(ask))["model_name"] == "gate"
    for line in lines[lines.index(look_it_up) + 1 :]:
        reader.type(line)
