"""CSV files of samples and labels: exported, filled in by a person, read back."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ganglion.core.errors import InvalidRequest

if TYPE_CHECKING:
    from ganglion.wire.resources import LabelRequest, SampleView

_ID, _LABEL = "sample_id", "label"
_COLUMNS = (_ID, "node", "model", "version", "reason", "prediction", "confidence", _LABEL)


def write_samples(samples: "Sequence[SampleView]", target: TextIO) -> None:
    """Write one line per sample; the column `label` is to be filled in."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([getattr(sample, column) for column in _COLUMNS] for sample in samples)


def read_labels(file: Path) -> "list[LabelRequest]":
    """Return the labels of a CSV file with the columns sample_id and label; lines without a label are passed over.

    Raises: InvalidRequest: not such a file, or a line without a sample.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as source:
            return _labels_in(source, file)
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} is not a CSV file in UTF-8: {error}") from error


def _labels_in(source: TextIO, file: Path) -> "list[LabelRequest]":
    from ganglion.wire.resources import LabelRequest

    reader = csv.DictReader(source)
    if not {_ID, _LABEL} <= set(reader.fieldnames or ()):
        raise InvalidRequest(f"{file} needs a first line with the columns {_ID} and {_LABEL}")
    labels: list[LabelRequest] = []
    for row in reader:
        sample_id, label = (row[_ID] or "").strip(), (row[_LABEL] or "").strip()
        if label and not sample_id:
            raise InvalidRequest(f"{file}, line {reader.line_num}: a label without a {_ID}")
        if label:
            labels.append(LabelRequest(sample_id, label))
    return labels
