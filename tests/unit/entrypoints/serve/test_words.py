import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from ganglion.core.errors import GoldenMissing
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensors, bytes_tensor
from ganglion.entrypoints.models.model_folder import Source, Unusable
from ganglion.entrypoints.serve import words as serve_words
from ganglion.node.services.serving.runs import Package
from unit.core.builders import a_manifest, one_hot

BASE = "http://127.0.0.1:8080"


def a_source(name: str = "meter", version: str = "1", path: str = "meter.onnx") -> Source:
    return Source(ModelName(name), Version(version), Path(path))


def no_golden() -> tuple[Tensors, Tensors]:
    raise GoldenMissing("there is none")


def a_bare_package(width: int = 3) -> Package:
    inputs = (TensorSpec("x", "FP32", (-1, width)),)
    return Package(Pipeline(a_manifest(golden=None, inputs=inputs, prediction=None), one_hot), no_golden)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("edge-1", "http://edge-1:80"),
    ],
)
def test_the_address_is_one_that_a_client_here_can_use(host: str, url: str) -> None:
    assert serve_words.base_url(host, 80) == url


def test_each_model_has_a_line_that_names_the_version_that_answers() -> None:
    sources = [a_source("gate", "1"), a_source("gate", "2"), a_source("meter")]

    lines = list(serve_words.served(sources, BASE))

    assert "2 models" in lines[0]
    assert [line.strip().removeprefix(f"{BASE}/v2/models/") for line in lines[1:]] == [
        "gate  version 2 answers, and by name: 1",
        "meter",
    ]


def test_versions_that_share_requests_are_named_with_their_shares() -> None:
    sources = [a_source("gate", "1"), a_source("gate", "2")]

    *_, line = serve_words.served(sources, BASE, {"gate": {"1": 90.0, "2": 10.0}})

    assert line.endswith("gate  version 1: 90.0%, version 2: 10.0%")


def test_a_setting_for_a_model_that_is_not_there_is_mentioned() -> None:
    lines = list(serve_words.unmatched("serve.split", ["gate", "gaet", "*"], [a_source("gate", "1")]))

    assert lines == ["serve.split names 'gaet', and there is no such model now"]


def test_a_version_that_should_share_the_requests_and_is_not_there_is_mentioned() -> None:
    split = {"gate": {"1": 90.0, "2": 10.0, "3": 0.0}, "gaet": {"1": 1.0}}

    lines = list(serve_words.unmatched_versions(split, [a_source("gate", "1")]))

    assert lines == ["serve.split gives version '2' of model gate a share, and it is not served now"]


def test_a_reason_of_several_lines_is_told_in_one() -> None:
    lines = list(serve_words.not_served([Unusable(Path("bad.onnx"), "line one\n  line two")]))

    assert lines == ["not served: bad.onnx: line one line two"]


def test_a_short_request_stands_in_the_line() -> None:
    words = shlex.split(serve_words.first_request(a_source(), a_bare_package(), BASE))

    assert words[-1] == f"{BASE}/v2/models/meter/infer"
    assert json.loads(words[words.index("-d") + 1])["inputs"][0]["shape"] == [1, 3]


def test_a_long_request_is_piped_from_the_file_whatever_its_name() -> None:
    line = serve_words.first_request(a_source(path="my models/o'clock.onnx"), a_bare_package(width=1000), BASE)

    producer, _, consumer = line.partition(" | ")
    assert shlex.split(producer) == ["ganglion", "model", "example", "my models/o'clock.onnx"]
    assert shlex.split(consumer) == ["curl", "-s", "-d", "@-", f"{BASE}/v2/models/meter/infer"]


def test_golden_inputs_make_the_request_where_there_are_some() -> None:
    golden = {"x": np.array([[7, 8, 9], [1, 1, 1]], np.float32)}
    package = Package(Pipeline(a_manifest(), one_hot), lambda: (golden, {}))

    words = shlex.split(serve_words.first_request(a_source(), package, BASE))

    assert json.loads(words[words.index("-d") + 1])["inputs"][0]["data"] == [7, 8, 9]


def test_a_model_that_takes_nothing_made_up_is_only_shown() -> None:
    def refuse(feeds: Tensors) -> Tensors:
        raise GoldenMissing("any error of ours")

    manifest = a_manifest(golden=None)

    line = serve_words.first_request(a_source(), Package(Pipeline(manifest, refuse), no_golden), BASE)

    assert line == f"curl -s {BASE}/v2/models/meter"


def test_a_model_of_image_files_is_asked_with_a_file() -> None:
    manifest = a_manifest(inputs=(TensorSpec("x", "BYTES", (-1,)),))
    package = Package(Pipeline(manifest, one_hot), lambda: ({"x": bytes_tensor([b"\x89PNG"])}, {}))

    line = serve_words.first_request(a_source(), package, BASE)

    assert line == f"curl -s --data-binary @photo.jpg {BASE}/v2/models/meter/predict"


def test_the_size_of_a_request_counts_open_dimensions_once() -> None:
    inputs = (TensorSpec("x", "FP32", (-1, 3, 4)), TensorSpec("rate", "INT64", ()))

    assert serve_words.input_size(a_manifest(inputs=inputs)) == 13
