"""Labelled rows, and splits that depend on nothing but the rows and a seed.

A row is known by the hash of its values. Equal rows always land on the same side of a split, so a
copy of a held-out row can never be trained on by accident.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganglion.core.errors import InvalidRequest

FloatRows: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """Inputs and what people say they show. Shapes: x [rows, features], y one label per row.

    `labels` are the classes that may occur, in the order of the model's outputs.
    """

    x: FloatRows
    y: tuple[str, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or len(self.x) != len(self.y):  # noqa: PLR2004 - rows and features
            raise InvalidRequest(f"x has the shape {list(self.x.shape)}, y has {len(self.y)} labels")
        unknown = sorted(set(self.y) - set(self.labels))
        if unknown:
            raise InvalidRequest(f"labels that the model does not have: {', '.join(unknown[:5])}")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: Sequence[int]) -> "LabelledRows":
        """Return the rows at `indices`, in that order."""
        order = np.asarray(indices, np.intp)
        return LabelledRows(self.x[order], tuple(self.y[index] for index in indices), self.labels)


def make_rows(x: NDArray[np.generic], y: Iterable[object], labels: Sequence[object] = ()) -> LabelledRows:
    """Return labelled rows from arrays as people have them.

    Shapes: x [rows, ...], any numbers; the dimensions of a row are laid flat. Labels become text; without
    `labels` they are those that occur, numbers in the order of numbers.
    Raises: InvalidRequest.
    """
    if x.dtype.kind not in "biuf" or x.ndim == 0 or not x.size:
        raise InvalidRequest(f"x must hold numbers, one row per example; it is {x.dtype} {list(x.shape)}")
    values = x.reshape(len(x), -1).astype(np.float32)
    if not np.isfinite(values).all():
        raise InvalidRequest("x holds NaN or infinite values")
    names = tuple(map(_text, y))
    known = tuple(map(_text, labels)) or tuple(sorted(set(names), key=_numbers_first))
    if len(set(known)) != len(known):
        raise InvalidRequest("labels: a name stands twice")
    return LabelledRows(np.ascontiguousarray(values), names, known)


def join(first: LabelledRows, second: LabelledRows) -> LabelledRows:
    """Return the rows of both, under the labels of `first`. Raises: InvalidRequest: they do not fit together."""
    if first.x.shape[1] != second.x.shape[1]:
        raise InvalidRequest(f"rows have {first.x.shape[1]} and {second.x.shape[1]} features: they are of two models")
    return LabelledRows(np.concatenate([first.x, second.x]), first.y + second.y, first.labels)


def without(rows: LabelledRows, held_out: LabelledRows) -> LabelledRows:
    """Return `rows` less those whose inputs stand in `held_out`, whatever their labels."""
    taken = set(_digests(held_out, ""))
    return rows.take([index for index, digest in enumerate(_digests(rows, "")) if digest not in taken])


def split(rows: LabelledRows, share: float, *, salt: str) -> tuple[LabelledRows, LabelledRows]:
    """Return (the rest, about `share` of the rows), chosen by the rows' hashes. Equal rows stay together."""
    digests = _digests(rows, salt)
    ranked = sorted(set(digests))
    chosen = set(ranked[: round(share * len(ranked))])
    rest = [index for index, digest in enumerate(digests) if digest not in chosen]
    return rows.take(rest), rows.take([index for index, digest in enumerate(digests) if digest in chosen])


def digest(rows: LabelledRows) -> str:
    """Return a name for exactly these rows, in any order."""
    lines = sorted(f"{key}:{label}" for key, label in zip(_digests(rows, ""), rows.y, strict=True))
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"


def _digests(rows: LabelledRows, salt: str) -> list[str]:
    plain = np.ascontiguousarray(rows.x + np.float32(0.0))  # -0.0 and 0.0 are one value
    return [hashlib.sha256(salt.encode() + row.tobytes()).hexdigest() for row in plain]


def _text(label: object) -> str:
    value = label.item() if isinstance(label, np.generic) else label
    # A table program writes the class 3 as 3.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _numbers_first(label: str) -> tuple[bool, float, str]:
    try:
        number = float(label)
    except ValueError:
        number = math.nan
    # "nan" and "inf" are words: the first has no place among numbers, and a table of readings may hold both.
    return (False, number, label) if math.isfinite(number) else (True, 0.0, label)
