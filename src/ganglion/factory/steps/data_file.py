"""Labelled rows in an `.npz` file: `x` [rows, ...], `y` [rows], and if wanted `labels`, the classes in order."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.factory.domain.rows import LabelledRows, make_rows


def read_rows(file: Path) -> LabelledRows:
    """Return the rows of a data file. Raises: NotFound, InvalidRequest."""
    arrays = read_arrays(file)
    if not {"x", "y"} <= arrays.keys():
        raise InvalidRequest(f"{file} must hold the arrays x and y; it holds {', '.join(sorted(arrays)) or 'none'}")
    y, labels = arrays["y"], arrays.get("labels", np.empty(0))
    if y.ndim != 1 or labels.ndim != 1:
        raise InvalidRequest(f"{file}: y and labels are lists, not shapes {list(y.shape)} and {list(labels.shape)}")
    return make_rows(arrays["x"], y, list(labels))


def read_arrays(file: Path) -> Mapping[str, NDArray[np.generic]]:
    """Return every array of an .npz file; pickled objects are refused. Raises: NotFound, InvalidRequest."""
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    if not zipfile.is_zipfile(file):
        raise InvalidRequest(f"{file} is no .npz file; numpy.savez writes one")
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        # numpy's own message advises to load pickled objects.
        raise InvalidRequest(f"{file} holds damaged arrays, or pickled objects") from error
