"""Signals: windows, frequencies, bands."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy import signal  # type: ignore[import-untyped]  # it ships no types

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import BandFilter, FftMagnitude, LogMel, Step, Tensor, Window

RATE_HZ = 16_000.0


def applied(step: Step, series: Tensor) -> Tensor:
    return steps.apply([step], {"x": series})["x"]


def series(*values: float) -> Tensor:
    return np.array([values], np.float32)


def tone(hertz: float, count: int, *, rate_hz: float = RATE_HZ) -> Tensor:
    times = np.arange(count) / rate_hz
    return np.asarray(np.sin(2 * np.pi * hertz * times), np.float32)[None]


# --- windows --------------------------------------------------------------------------------------


def test_a_short_series_is_filled_up_and_a_long_one_cut() -> None:
    assert applied(Window("x", 4, fill=-1), series(1, 2)).tolist() == [[1, 2, -1, -1]]
    assert applied(Window("x", 2), series(1, 2, 3)).tolist() == [[1, 2]]
    assert applied(Window("x", 2, use="end"), series(1, 2, 3)).tolist() == [[2, 3]]


def test_windows_start_every_hop_and_a_rest_is_dropped() -> None:
    assert applied(Window("x", 3, hop=2), series(1, 2, 3, 4, 5, 6)).tolist() == [[[1, 2, 3], [3, 4, 5]]]
    assert applied(Window("x", 3, hop=5), series(1, 2)).tolist() == [[[1, 2, 0]]]


def test_channels_stay_together() -> None:
    pairs = np.arange(8, dtype=np.float32).reshape(1, 4, 2)

    windows = applied(Window("x", 2, hop=2), pairs)

    assert windows.shape == (1, 2, 2, 2)
    assert windows[0, 1].tolist() == [[4, 5], [6, 7]]


def test_windows_that_would_fill_the_memory_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 100000000 elements"):
        applied(Window("x", 50_000, hop=1), np.zeros((1, 100_000), np.float32))
    with pytest.raises(InvalidRequest, match="more than 100000000 elements"):
        applied(Window("x", 10_000_000), np.zeros((64, 1), np.float32))


# --- frequencies ----------------------------------------------------------------------------------


def test_a_tone_has_one_magnitude() -> None:
    magnitudes = applied(FftMagnitude("x"), tone(1000, 160))[0]

    assert magnitudes.shape == (81,)
    assert magnitudes.argmax() == 10
    assert magnitudes[10] == pytest.approx(80, rel=1e-4)
    assert np.delete(magnitudes, 10).max() < 1e-3


def test_power_is_the_square_and_a_taper_stops_leaking() -> None:
    between = tone(1049, 160)

    plain, tapered = applied(FftMagnitude("x"), between)[0], applied(FftMagnitude("x", taper="hann"), between)[0]

    np.testing.assert_allclose(applied(FftMagnitude("x", power=True), between)[0], plain**2, rtol=1e-5)
    assert tapered[40] < plain[40] / 50


@pytest.mark.parametrize(
    ("low", "high", "pass_zero"), [(0, 3000, True), (3000, 0, False), (1000, 3000, False), (300, 3400, False)]
)
def test_a_filter_is_the_one_that_signal_processing_knows(
    low: float,
    high: float,
    *,
    pass_zero: bool,
) -> None:
    impulse = np.zeros((1, 201), np.float32)
    impulse[0, 100] = 1
    edges = [edge for edge in (low, high) if edge]

    response = applied(BandFilter("x", RATE_HZ, low, high, taps=101), impulse)[0]

    expected = signal.firwin(101, edges, fs=RATE_HZ, pass_zero=pass_zero, window="hamming")
    np.testing.assert_allclose(response[50:151], expected, atol=1e-7)
    assert np.abs(response[:50]).max() < 1e-7


def test_a_filter_takes_away_what_is_outside_and_shifts_nothing() -> None:
    wanted, unwanted = tone(1000, 1600), tone(5000, 1600)

    filtered = applied(BandFilter("x", RATE_HZ, 500, 2000, taps=201), wanted + unwanted)

    assert filtered.dtype == np.float32
    assert np.abs(filtered - wanted)[0, 100:-100].max() < 5e-3


def test_each_channel_is_filtered_on_its_own() -> None:
    both = np.stack([tone(1000, 400)[0], tone(5000, 400)[0]], axis=-1)[None]

    filtered = applied(BandFilter("x", RATE_HZ, high_hz=3000), both)

    assert np.abs(filtered[0, 60:-60, 0]).max() > 0.99
    assert np.abs(filtered[0, 60:-60, 1]).max() < 5e-3


# --- mel bands ------------------------------------------------------------------------------------


def log_mel_by_hand(step: LogMel, values: Tensor) -> list[list[float]]:
    """The formulas of the documentation, one number at a time."""
    size, rows = step.fft_size or 512, []
    high_hz = step.high_hz or step.rate_hz / 2
    low_mel, high_mel = (2595 * math.log10(1 + f / 700) for f in (step.low_hz, high_hz))
    mels = [low_mel + (high_mel - low_mel) * index / (step.bands + 1) for index in range(step.bands + 2)]
    corners = [700 * (10 ** (mel / 2595) - 1) for mel in mels]
    for start in range(0, len(values) - step.length + 1, step.hop):
        taper = [0.5 - 0.5 * math.cos(2 * math.pi * t / step.length) for t in range(step.length)]
        frame = [float(values[start + t]) * taper[t] for t in range(step.length)]
        power = [
            abs(sum(x * np.exp(-2j * np.pi * k * t / size) for t, x in enumerate(frame))) ** 2
            for k in range(size // 2 + 1)
        ]
        row = []
        for left, middle, right in zip(corners, corners[1:], corners[2:], strict=False):
            hertz = [k * step.rate_hz / size for k in range(size // 2 + 1)]
            weights = [max(0.0, min((f - left) / (middle - left), (right - f) / (right - middle))) for f in hertz]
            row.append(math.log(max(sum(w * p for w, p in zip(weights, power, strict=True)), step.floor)))
        rows.append(row)
    return rows


def test_mel_bands_are_those_of_the_formula() -> None:
    step = LogMel("x", 8000, 48, 40, 6, fft_size=64, low_hz=100, high_hz=3800, floor=1e-4)
    values = np.random.default_rng(0).standard_normal(200).astype(np.float32)

    bands = applied(step, values[None])

    assert bands.shape == (1, 4, 6)
    np.testing.assert_allclose(bands[0], log_mel_by_hand(step, values), atol=1e-4)


def test_mel_bands_are_those_of_librosa() -> None:
    """librosa 0.11.0: log(max(mel(htk=True, norm=None) @ |stft(window="hann", center=False)|^2, 0.01))."""
    times = np.arange(1024) / RATE_HZ
    values = np.sin(2 * np.pi * 440 * times) + 0.25 * np.cos(2 * np.pi * 3000 * times)
    step = LogMel("x", RATE_HZ, 512, 256, 8, low_hz=20, high_hz=7600, floor=0.01)

    bands = applied(step, values.astype(np.float32)[None])[0]

    nothing = math.log(0.01)
    expected = [9.0240, 9.6974, nothing, nothing, 0.4679, 7.3123, 3.5772, nothing]
    np.testing.assert_allclose(bands, [expected] * 3, atol=1e-3)


def test_the_logarithm_can_be_chosen() -> None:
    silence = np.zeros((1, 512), np.float32)

    shown = {log: applied(LogMel("x", RATE_HZ, 512, 256, log=log), silence)[0, 0, 0] for log in ("ln", "log10", "db")}

    assert shown == pytest.approx({"ln": math.log(1e-6), "log10": -6, "db": -60})


def test_whole_numbers_are_heard_too() -> None:
    sound = (tone(440, 1024) * 32767).astype(np.int16)

    assert np.isfinite(applied(LogMel("x", RATE_HZ, 512, 256), sound)).all()


@pytest.mark.parametrize(
    ("step", "shape"),
    [
        (Window("x", 4), (4,)),
        (Window("x", 4), (1, 2, 3, 4)),
        (BandFilter("x", RATE_HZ, high_hz=100), (4,)),
        (LogMel("x", RATE_HZ, 512, 256), (1, 511)),
        (LogMel("x", RATE_HZ, 512, 256), (1, 600, 2)),
        (LogMel("x", RATE_HZ, 512, 1), (2, 1_000_000)),
    ],
)
def test_a_series_that_does_not_fit_is_refused(step: Step, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match=f"step {step.kind} on 'x'"):
        applied(step, np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "window", "length": 0},
        {"step": "band_filter", "rate_hz": 100},
        {"step": "band_filter", "rate_hz": 100, "low_hz": 30, "high_hz": 20},
        {"step": "band_filter", "rate_hz": 100, "high_hz": 51},
        {"step": "band_filter", "rate_hz": 100, "high_hz": 20, "taps": 100},
        {"step": "band_filter", "rate_hz": 0, "high_hz": 20},
        {"step": "log_mel", "rate_hz": 100, "length": 16, "hop": 0},
        {"step": "log_mel", "rate_hz": 100, "length": 16, "hop": 8, "fft_size": 8},
        {"step": "log_mel", "rate_hz": 100, "length": 16, "hop": 8, "low_hz": 50},
        {"step": "log_mel", "rate_hz": 100, "length": 16, "hop": 8, "floor": 0},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_when_it_is_parsed(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tensor": "x", **fields}, Step)
