"""Steps on signals: cut to windows, filter, and look at frequencies. Time is the second dimension: [N, time]."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
import numpy as np

from ganglion.core.steps import spectra
from ganglion.core.steps.step import Context, Conversion, Finite, StepBase, as_floats, check_rank, check_size
from ganglion.core.steps.tensors import Tensor

_SERIES = "a series [N, time]"
_SERIES_NDIM = 2
_CHANNELS_NDIM = 3

Length = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Hertz = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Window(StepBase, frozen=True, tag="window"):
    """Cut a series [N, time] or [N, time, channels] to a fixed length, or into windows [N, windows, length, ...].

    With a `hop`, windows start every `hop` values; what is left after the last whole window is dropped.
    """

    length: Length
    """Values per window. A shorter series is filled up with `fill` at its end."""
    hop: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 0
    """Values from one start to the next; 0 makes a single window and no new dimension."""
    use: Literal["start", "end"] = "start"
    """Without a hop: which end of a longer series is used."""
    fill: Finite = 0.0
    """What a short series is filled up with."""

    def conversion(self) -> Conversion:
        """See the class."""

        def convert(tensor: Tensor, _: Context) -> Tensor:
            check_rank(tensor, _SERIES_NDIM, _CHANNELS_NDIM, meaning=f"{_SERIES} or [N, time, channels]")
            series = self._filled_up(tensor)
            if not self.hop:
                return series[:, -self.length :] if self.use == "end" else series[:, : self.length]
            count = 1 + (series.shape[1] - self.length) // self.hop
            check_size(tensor.shape[0], count, self.length, *tensor.shape[2:])
            return np.ascontiguousarray(spectra.windows(series, self.length, self.hop))

        return convert

    def _filled_up(self, tensor: Tensor) -> Tensor:
        missing = self.length - tensor.shape[1]
        if missing <= 0:
            return tensor
        check_size(tensor.shape[0], self.length, *tensor.shape[2:])
        widths = [(0, 0), (0, missing)] + [(0, 0)] * (tensor.ndim - 2)
        return np.pad(tensor, widths, constant_values=self.fill)


class FftMagnitude(StepBase, frozen=True, tag="fft_magnitude"):
    """The magnitude of each frequency along the last dimension: size n becomes n // 2 + 1, from 0 Hz up, as FP32.

    |sum over t of x[t] w[t] e^(-2 pi i k t / n)|, not divided by n.
    """

    taper: Literal["none", "hann"] = "none"
    """The weights w: "hann" fades both ends, so that a tone between two frequencies does not leak into all."""
    power: bool = False
    """Give the square of the magnitude."""

    def conversion(self) -> Conversion:
        """See the class."""
        is_power, is_tapered = self.power, self.taper == "hann"

        def convert(tensor: Tensor, _: Context) -> Tensor:
            signal = as_floats(tensor)
            tapered = signal * spectra.hann(signal.shape[-1]) if is_tapered else signal
            magnitude = np.abs(np.fft.rfft(tapered, axis=-1))
            return (magnitude**2 if is_power else magnitude).astype(np.float32)

        return convert


class BandFilter(StepBase, frozen=True, tag="band_filter"):
    """Let a band of frequencies pass along the second dimension, without shifting it in time; FP32.

    A symmetric FIR filter: a windowed sinc (Hamming), gain 1 in the middle of the band. Beyond its ends
    the series is 0.
    """

    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    """Values per second."""
    low_hz: Hertz = 0.0
    """Lower edge; 0 lets everything below the upper edge pass."""
    high_hz: Hertz = 0.0
    """Upper edge; 0 lets everything above the lower edge pass."""
    taps: Annotated[int, msgspec.Meta(ge=3, le=8191)] = 101
    """Length of the filter, odd: more taps make steeper edges."""

    def __post_init__(self) -> None:
        high = self.high_hz or self.rate_hz / 2
        if not self.low_hz < high <= self.rate_hz / 2 or not (self.low_hz or self.high_hz):
            raise ValueError("0 <= low_hz < high_hz <= rate_hz / 2 must hold, and one of the edges must be given")
        if self.taps % 2 == 0:
            raise ValueError("taps must be odd")

    def conversion(self) -> Conversion:
        """See the class."""
        kernel = spectra.band_pass(self.rate_hz, self.low_hz, self.high_hz or self.rate_hz / 2, self.taps)

        def convert(tensor: Tensor, _: Context) -> Tensor:
            check_rank(tensor, _SERIES_NDIM, _CHANNELS_NDIM, meaning=f"{_SERIES} or [N, time, channels]")
            check_size(tensor.shape[0], tensor.shape[1] + kernel.size, *tensor.shape[2:])
            return spectra.filtered(as_floats(tensor), kernel).astype(np.float32)

        return convert


class LogMel(StepBase, frozen=True, tag="log_mel"):
    """Logarithms of the power in bands that are as wide as people hear: [N, time] becomes [N, windows, bands], FP32.

    Windows of `length` values every `hop`, the first at 0, none filled up; Hann (periodic); |FFT|^2 of `fft_size`
    values; triangles with corners even on the mel scale 2595 log10(1 + f / 700), each of height 1; log of what is
    at least `floor`.
    """

    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    """Values per second."""
    length: Annotated[int, msgspec.Meta(ge=2, le=65536)]
    """Values per window."""
    hop: Annotated[int, msgspec.Meta(ge=1, le=65536)]
    """Values from one window's start to the next."""
    bands: Annotated[int, msgspec.Meta(ge=1, le=512)] = 40
    """Number of bands."""
    fft_size: Annotated[int, msgspec.Meta(ge=0, le=65536)] = 0
    """Values per transform; 0 is the next power of two from `length`."""
    low_hz: Hertz = 0.0
    """Where the lowest band begins."""
    high_hz: Hertz = 0.0
    """Where the highest band ends; 0 is half the rate."""
    floor: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1e-6
    """Less power than this counts as this much: silence has no logarithm."""
    log: Literal["ln", "log10", "db"] = "ln"
    """Which logarithm; "db" is 10 log10."""

    def __post_init__(self) -> None:
        if self.fft_size and self.fft_size < self.length:
            raise ValueError("fft_size must be 0 or at least length")
        if not self.low_hz < (self.high_hz or self.rate_hz / 2) <= self.rate_hz / 2:
            raise ValueError("0 <= low_hz < high_hz <= rate_hz / 2 must hold")

    def conversion(self) -> Conversion:
        """See the class."""
        fft_size = self.fft_size or 1 << (self.length - 1).bit_length()
        edges = (self.low_hz, self.high_hz or self.rate_hz / 2)
        filters = spectra.mel_filters(self.rate_hz, fft_size, self.bands, edges)
        taper, log = spectra.hann(self.length), _LOGS[self.log]

        def convert(tensor: Tensor, _: Context) -> Tensor:
            check_rank(tensor, _SERIES_NDIM, meaning=_SERIES)
            if tensor.shape[1] < self.length:
                raise ValueError(f"the series has {tensor.shape[1]} values, one window takes {self.length}")
            check_size(tensor.shape[0], 1 + (tensor.shape[1] - self.length) // self.hop, fft_size)
            frames = spectra.windows(as_floats(tensor), self.length, self.hop) * taper
            power = np.abs(np.fft.rfft(frames, fft_size, axis=-1)) ** 2
            return np.asarray(log(np.maximum(power @ filters, self.floor)), np.float32)

        return convert


_LOGS: dict[str, Callable[[Tensor], Tensor]] = {
    "ln": np.log,
    "log10": np.log10,
    "db": lambda power: 10.0 * np.log10(power),
}
