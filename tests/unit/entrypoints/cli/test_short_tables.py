"""What a table leaves out for people, JSON keeps for programs."""

import json
from typing import cast

import pytest

from ganglion.entrypoints.cli.context import HubOptions, Session
from ganglion.entrypoints.cli.model import list_releases
from ganglion.entrypoints.cli.output import OutputFormat
from ganglion.entrypoints.cli.sample import list_samples, show_sample
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.wire.resources import ReleaseView, SampleTensorView, SampleView

SAMPLE = SampleView(
    sample_id="n1-e1-7",
    node="gate-1",
    at_s=0.0,
    model="gate",
    version="1",
    request_id="r-7",
    reason="random",
    prediction="open",
    confidence=0.75,
    inputs={"pixels": SampleTensorView("FP32", [1, 2], [0.25, 0.5])},
)
RELEASE = ReleaseView("gate", "1", "fp32", "any", "onnxruntime", "ab" * 32, 1_500, 0.0)


class OneOfEach:
    """A hub with one sample and one release."""

    def samples(self, **_asked: object) -> list[SampleView]:
        return [SAMPLE]

    def sample(self, sample_id: str) -> SampleView:
        assert sample_id == SAMPLE.sample_id
        return SAMPLE

    def releases(self, model: str | None = None) -> list[ReleaseView]:
        return [RELEASE]


def session_with(output: OutputFormat) -> Session:
    session = Session(HubOptions(), output)
    vars(session)["client"] = cast("HubClient", OneOfEach())
    return session


def test_a_table_of_samples_leaves_their_inputs_out(capsys: pytest.CaptureFixture[str]) -> None:
    list_samples(session_with(OutputFormat.TABLE))

    head, line = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "SAMPLE ID NODE AT MODEL VERSION REASON PREDICTION CONFIDENCE LABEL"
    assert " ".join(line.split()) == "n1-e1-7 gate-1 1970-01-01 00:00:00Z gate 1 random open 0.75 -"


def test_one_sample_is_shown_with_its_inputs_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_sample(session_with(OutputFormat.TABLE), "n1-e1-7")

    shown = capsys.readouterr().out
    assert "PREDICTION  open" in shown
    assert shown.endswith("pixels  FP32  [1, 2]\n0.25 0.5\n")


def test_a_program_gets_the_inputs_too(capsys: pytest.CaptureFixture[str]) -> None:
    list_samples(session_with(OutputFormat.JSON))

    assert json.loads(capsys.readouterr().out)[0]["inputs"]["pixels"]["values"] == [0.25, 0.5]


def test_a_table_of_releases_leaves_digests_out(capsys: pytest.CaptureFixture[str]) -> None:
    list_releases(session_with(OutputFormat.TABLE))

    head, line = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "MODEL VERSION VARIANT ARCH SIZE RELEASED AT PARENT METRICS"
    assert " ".join(line.split()) == "gate 1 fp32 any 1.5 kB 1970-01-01 00:00:00Z - -"
