import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ganglion.core import quality
from ganglion.core.manifest import TensorSpec
from ganglion.core.quality import look
from ganglion.core.steps import Tensor

CAMERA = TensorSpec("camera", "UINT8", (-1, 96, 128, 3), layout="NHWC")
SENSOR = TensorSpec("sensor", "FP32", (-1, -1, 2), layout="NTF")
FIGURES = TensorSpec("figures", "FP32", (-1, 4))


def scene(*, contrast: float = 60.0, level: float = 128.0) -> Tensor:
    """Return a checked picture with noise: something to see everywhere."""
    noise = np.random.default_rng(7).normal(size=(1, 96, 128, 3))
    checks = (np.indices((96, 128)).sum(axis=0) // 4 % 2 * 2 - 1)[None, :, :, None]
    picture: Tensor = np.clip(level + contrast * checks + 3.0 * noise, 0, 255).astype(np.uint8)
    return picture


def blurred(picture: Tensor) -> Tensor:
    rows = sum(np.roll(picture.astype(float), shift, axis=1) for shift in range(-4, 5)) / 9.0
    return np.asarray(sum(np.roll(rows, shift, axis=2) for shift in range(-4, 5)) / 9.0).astype(np.uint8)


def measured(spec: TensorSpec, tensor: Tensor) -> dict[str, float]:
    return look([spec], {spec.name: tensor}).measures


def test_a_blurred_picture_is_less_sharp() -> None:
    assert measured(CAMERA, blurred(scene()))["sharpness"] < 0.05 * measured(CAMERA, scene())["sharpness"]


def test_a_picture_in_the_dark_is_dark_and_clipped() -> None:
    dark = measured(CAMERA, scene(contrast=1.0, level=0.0))

    assert dark["brightness"] < 0.02
    assert dark["clipped"] > 0.9


def test_a_covered_part_of_the_lens_shows() -> None:
    half = scene()
    half[:, :48] = 90

    assert measured(CAMERA, scene())["covered"] == 0.0
    assert measured(CAMERA, half)["covered"] == pytest.approx(0.5)


def test_a_frozen_camera_does_not_change_and_a_living_one_does() -> None:
    first = look([CAMERA], {"camera": scene()})

    assert look([CAMERA], {"camera": scene()}, before=first).measures["change"] == 0.0
    assert look([CAMERA], {"camera": scene(level=100.0)}, before=first).measures["change"] > 0.05
    assert "change" not in first.measures


def test_pictures_of_other_layouts_and_scales_measure_alike() -> None:
    planes = np.moveaxis(scene(), -1, 1)
    shares = (scene() / 255.0).astype(np.float32)

    expected = pytest.approx(measured(CAMERA, scene()), rel=1e-3, abs=1e-4)
    assert measured(TensorSpec("x", "UINT8", (-1, 3, 96, 128), layout="NCHW"), planes) == expected
    assert measured(TensorSpec("x", "UINT8", (-1, 3, 96, 128)), planes) == expected
    assert measured(TensorSpec("x", "FP32", (-1, 96, 128, 3)), shares) == expected
    assert measured(TensorSpec("x", "FP32", (-1, 96, 128, 3)), shares * 255.0) == expected


def test_a_row_of_figures_that_is_a_picture_is_looked_at_as_one() -> None:
    spec = TensorSpec("pixels", "FP32", (-1, 64), image=(8, 8))

    assert "sharpness" in measured(spec, np.linspace(0, 1, 64, dtype=np.float32)[None])


def test_a_large_picture_is_looked_at_in_tiles_only() -> None:
    seen = look([CAMERA], {"camera": np.zeros((1, 4000, 6000, 3), np.uint8)}).seen["camera"]

    assert seen.shape == (64, 32, 32)


def test_a_sensor_that_hangs_is_flat() -> None:
    steps = np.random.default_rng(1).normal(size=(1, 101, 2)).astype(np.float32)
    steps[0, 50:, 1] = 3.0

    measures = measured(SENSOR, steps)

    assert measures["flatline"] == pytest.approx(0.5)
    assert measures["missing"] == 0.0


def test_a_sensor_at_its_end_is_saturated_and_a_wave_is_not() -> None:
    wave = np.sin(np.linspace(0, 20, 400, dtype=np.float32))
    clipped = np.clip(wave, -0.5, 0.5)

    assert measured(SENSOR, np.stack([wave, wave], axis=-1)[None])["saturation"] < 0.02
    assert measured(SENSOR, np.stack([wave, clipped], axis=-1)[None])["saturation"] > 0.5


def test_missing_values_are_counted_and_disturb_nothing_else() -> None:
    steps = np.random.default_rng(1).normal(size=(1, 100, 2)).astype(np.float32)
    steps[0, :20, 0] = np.nan

    assert measured(SENSOR, steps)["missing"] == pytest.approx(0.1)


def test_of_plain_figures_only_missing_ones_are_told() -> None:
    assert measured(FIGURES, np.array([[1.0, 1.0, np.inf, 1.0]], np.float32)) == {"missing": 0.25}


def test_measures_of_several_inputs_carry_the_inputs_names() -> None:
    row = {"camera": scene(), "figures": np.zeros((1, 4), np.float32)}

    assert {"camera.sharpness", "figures.missing"} <= look([CAMERA, FIGURES], row).measures.keys()


def test_what_holds_no_numbers_is_left_out() -> None:
    assert look([TensorSpec("x", "BYTES", (-1,))], {"x": np.array([b"x"], object)}).measures == {}


NUMBERS = st.sampled_from([np.dtype(code) for code in ("?", "u1", "i2", "u8", "f2", "f4", "f8")])


@given(
    hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=1, max_dims=5, max_side=9)),
    st.sampled_from(["", "NHWC", "NCHW", "HW", "NT", "NTF", "TF", "CHW", "NCT"]),
)
def test_no_input_makes_a_measure_fail_and_shares_are_shares(tensor: Tensor, layout: str) -> None:
    spec = TensorSpec("x", "FP32", (-1,) * tensor.ndim, layout=layout)

    found = look([spec], {"x": tensor})
    again = look([spec], {"x": tensor}, before=found).measures

    assert all(value >= 0.0 for value in again.values())
    assert all(again[name] <= 1.0 for name in again if name not in ("sharpness", "change"))
    assert again["change"] == 0.0


def test_a_look_at_a_series_reads_its_newest_part_only() -> None:
    _, seen = quality.series(np.zeros((1_000_000, 40), np.float32))

    assert seen.shape == (4096, 16)
