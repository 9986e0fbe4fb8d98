"""What a package may ask of its runtime."""

import msgspec
import pytest

from ganglion.core import engine_options
from ganglion.core.engine_options import PROVIDERS_OF, EngineOptions, RuntimeName
from ganglion.core.errors import InvalidPackage


@pytest.mark.parametrize("runtime", PROVIDERS_OF)
def test_the_defaults_suit_every_runtime(runtime: RuntimeName) -> None:
    engine_options.check(EngineOptions(), runtime)

    assert "cpu" in PROVIDERS_OF[runtime]


@pytest.mark.parametrize(
    ("runtime", "options", "reason"),
    [
        ("litert", EngineOptions(providers=("cuda",)), "litert has cpu"),
        ("openvino", EngineOptions(providers=("tensorrt", "cpu")), "openvino has cpu, gpu, npu"),
        ("onnxruntime", EngineOptions(providers=("npu",)), "onnxruntime has cpu, cuda, tensorrt"),
        ("onnxruntime", EngineOptions(providers=("cpu", "cpu")), "at most once"),
        ("openvino", EngineOptions(graph_optimisation="none"), "'none' means nothing to openvino"),
        ("litert", EngineOptions(graph_optimisation="basic"), "'basic' means nothing to litert"),
        ("litert", EngineOptions(memory_arena=False), "for onnxruntime only"),
    ],
)
def test_a_wish_that_a_runtime_would_ignore_is_refused(
    runtime: RuntimeName, options: EngineOptions, reason: str
) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        engine_options.check(options, runtime)


@pytest.mark.parametrize(
    "document",
    [{"threads": -1}, {"threads": 257}, {"providers": []}, {"providers": ["tpu"]}, {"spin": True}],
)
def test_values_outside_of_the_limits_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, EngineOptions)
