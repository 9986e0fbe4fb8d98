"""INT8 by calibration: unsigned activations, signed weights, one scale per channel.

Signed activations are the library's default and run slower than FP32 on x86; the measurement that
follows would refuse them.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from onnxruntime.quantization import (  # type: ignore[import-untyped]  # it ships no types
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from ganglion.core.errors import CheckFailed
from ganglion.core.steps import Tensors


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # the base class has no types
    def __init__(self, feeds: Sequence[Tensors]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Tensors | None:
        """Return the next calibration input, None after the last."""
        return next(self._feeds, None)


def quantise(source: Path, target: Path, feeds: Sequence[Tensors]) -> None:
    """Write the INT8 form of `source`; `feeds` are preprocessed inputs that no evaluation uses.

    Raises: CheckFailed: the library cannot quantise this graph.
    """
    try:
        with _quiet_root_logger():
            quantize_static(
                source,
                target,
                _Reader(feeds),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
            )
    except Exception as error:
        raise CheckFailed(f"INT8 quantisation failed: {type(error).__name__}: {error}") from error


@contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """Drop the library's advice on preparing graphs: it goes to the root logger, and would configure it."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    root.addFilter(_drop)
    try:
        yield
    finally:
        root.removeFilter(_drop)
        root.removeHandler(silent)


def _drop(_record: logging.LogRecord) -> bool:
    return False
