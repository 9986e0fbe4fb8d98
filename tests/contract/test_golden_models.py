"""Real models reproduce the outputs that were recorded with other installations of the same runtimes.

The models lie beside the repository on machines that have them; one made here keeps the comparison honest elsewhere.
"""

import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.engine_models import SHARED_MODELS, scores_of
from ganglion.core.steps import Tensors
from ganglion.entrypoints.models import engines
from ganglion.ports.runtime import CanInfer, Engine
from integration.models import classifier

FLOAT_TOLERANCE = 1e-3
QUANTA = 1
QUANTA_OF_BIG_NETS = 2
CLIPS = SHARED_MODELS.parent / "audio"
_NOT_OUTPUTS = {"input", "label", "source", "detections", "faces_at_0_7"}
_CONTEXT, _WINDOW = 64, 512


@dataclass(frozen=True)
class Recorded:
    """A model and one call to it: inputs in the order of the file, and the outputs that it gave."""

    file: Path
    inputs: list[NDArray[np.generic]]
    outputs: list[NDArray[np.generic]]


def recorded(model: Path) -> Iterator[Recorded]:
    """Read the calls that were recorded for a model that takes one row at a time."""
    with np.load(SHARED_MODELS / "golden" / f"{model.stem}.npz") as arrays:
        rows, outputs = arrays["input"], {name: arrays[name] for name in arrays.files if name not in _NOT_OUTPUTS}
    for index in range(len(rows)):
        yield Recorded(model, [rows[index : index + 1]], [values[index : index + 1] for values in outputs.values()])


def made_here(folder: Path) -> Iterator[Recorded]:
    """Return calls whose outputs are known without any runtime."""
    rows = np.eye(3, dtype=np.float32)
    yield Recorded(classifier(folder / "made.onnx"), [rows], [scores_of(rows).astype(np.float32)])


def is_onnx(model: Path) -> bool:
    return model.suffix == ".onnx"


def tolerance(model: Path, output: NDArray[np.generic]) -> float:
    if output.dtype.kind == "f":
        return FLOAT_TOLERANCE
    return QUANTA_OF_BIG_NETS if model.stem.startswith("mobilenet") else QUANTA


def ask(engine: Engine, inputs: list[NDArray[np.generic]]) -> Tensors:
    return engine.infer({spec.name: tensor for spec, tensor in zip(engine.inputs, inputs, strict=True)})


def check(runtime: str, calls: list[Recorded]) -> None:
    """Make every call on one engine, and compare."""
    assert calls
    engine = engines.runtime_for(runtime).load(calls[0].file, threads=1)
    for call in calls:
        actual = list(ask(engine, call.inputs).values())
        assert len(actual) == len(call.outputs)
        for value, expected in zip(actual, call.outputs, strict=True):
            assert value.dtype == expected.dtype
            wide = value.astype(np.float64), expected.astype(np.float64)
            np.testing.assert_allclose(*wide, rtol=0, atol=tolerance(call.file, expected))


def speech_probabilities(engine: CanInfer, samples: NDArray[np.float32]) -> list[float]:
    """Run a voice detector over a clip: each window is fed with the end of the one before, and with the state."""
    state, rate = np.zeros((2, 1, 128), np.float32), np.array(16_000, np.int64)
    context, found = np.zeros(_CONTEXT, np.float32), []
    for start in range(0, len(samples) - _WINDOW + 1, _WINDOW):
        window = samples[start : start + _WINDOW]
        row = np.concatenate([context, window])[None]
        outputs = engine.infer({"input": row, "state": state, "sr": rate})
        found.append(float(outputs["output"][0, 0]))
        state, context = outputs["stateN"], window[-_CONTEXT:]
    return found


def read_clip(file: Path) -> NDArray[np.float32]:
    with wave.open(str(file)) as clip:
        return np.frombuffer(clip.readframes(clip.getnframes()), np.int16).astype(np.float32) / 32768.0


def check_made_here(folder: Path) -> None:
    check("onnxruntime", list(made_here(folder)))


def check_recorded(runtime: str, model: Path, _folder: Path) -> None:
    check(runtime, list(recorded(model)))


def check_voice(clip: Path, _folder: Path) -> None:
    engine = engines.runtime_for("onnxruntime").load(VOICE_MODEL, threads=1)
    with np.load(SHARED_MODELS / "golden" / f"{VOICE_MODEL.stem}.npz") as arrays:
        expected = arrays[clip.stem]

    heard = speech_probabilities(engine, read_clip(clip))

    np.testing.assert_allclose(heard, expected, rtol=0, atol=FLOAT_TOLERANCE)


VOICE_MODEL = SHARED_MODELS / "silero_vad.onnx"
MODELS = sorted(path for path in SHARED_MODELS.glob("*") if path.suffix in engines.MODEL_SUFFIXES)
ONE_ROW = [model for model in MODELS if model != VOICE_MODEL]
CHECKS: dict[str, Callable[[Path], None]] = {"made here": check_made_here}
CHECKS |= {model.name: partial(check_recorded, engines.runtime_of_file(model), model) for model in ONE_ROW}
# OpenVINO cannot read the branches of the voice detector; it reads the other ONNX files.
CHECKS |= {f"openvino {model.name}": partial(check_recorded, "openvino", model) for model in ONE_ROW if is_onnx(model)}
CHECKS |= {f"voice in {clip.name}": partial(check_voice, clip) for clip in CLIPS.glob("*.wav") if VOICE_MODEL.exists()}


@pytest.mark.parametrize("name", CHECKS)
def test_a_model_gives_the_outputs_that_were_recorded(tmp_path: Path, name: str) -> None:
    CHECKS[name](tmp_path)
