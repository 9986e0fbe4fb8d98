"""Windows over a series, filters and mel bands: the arithmetic behind the signal steps."""

import numpy as np

from ganglion.core.steps.tensors import Tensor

_HZ_PER_MEL_DECADE, _HZ_CORNER = 2595.0, 700.0


def windows(series: Tensor, length: int, hop: int) -> Tensor:
    """Return the whole windows of a series [N, time, ...] as a view [N, windows, length, ...]."""
    view = np.lib.stride_tricks.sliding_window_view(series, length, axis=1)[:, ::hop]
    return np.moveaxis(view, -1, 2)


def hann(length: int) -> Tensor:
    """Return the periodic Hann window, whose shifted copies add up evenly."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)).astype(np.float32)


def band_pass(rate_hz: float, low_hz: float, high_hz: float, taps: int) -> Tensor:
    """Return a symmetric FIR filter [taps] with gain 1 in the middle of the band, or at its open end."""
    nyquist_hz = rate_hz / 2.0
    low, high = low_hz / nyquist_hz, high_hz / nyquist_hz
    times = np.arange(taps) - (taps - 1) / 2.0
    kernel = (high * np.sinc(high * times) - low * np.sinc(low * times)) * np.hamming(taps)
    middle = 0.0 if low == 0 else 1.0 if high == 1 else (low + high) / 2.0
    return np.asarray(kernel / np.sum(kernel * np.cos(np.pi * times * middle)))


def filtered(series: Tensor, kernel: Tensor) -> Tensor:
    """Return a series [N, time, ...] convolved with a symmetric kernel along time, as long as before."""
    size, lead = series.shape[1], (kernel.size - 1) // 2
    fft_size = 1 << (size + kernel.size - 2).bit_length()
    response = np.fft.rfft(kernel, fft_size).reshape(1, -1, *[1] * (series.ndim - 2))
    whole = np.fft.irfft(np.fft.rfft(series, fft_size, axis=1) * response, fft_size, axis=1)
    return np.asarray(whole[:, lead : lead + size])


def mel_filters(rate_hz: float, fft_size: int, bands: int, edges_hz: tuple[float, float]) -> Tensor:
    """Return the weights [frequencies, bands] of triangular bands.

    Source: HTK Book, section 5.4, without its normalisation; the same as librosa's `mel(htk=True, norm=None)`.
    """
    low, high = _HZ_PER_MEL_DECADE * np.log10(1.0 + np.array(edges_hz) / _HZ_CORNER)
    corners = _HZ_CORNER * (10.0 ** (np.linspace(low, high, bands + 2) / _HZ_PER_MEL_DECADE) - 1.0)
    frequencies = np.arange(fft_size // 2 + 1)[:, None] * (rate_hz / fft_size)
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
