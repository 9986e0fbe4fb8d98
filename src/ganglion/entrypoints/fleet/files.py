"""The fleet as a file that people keep: CSV with a line for each node, or JSON with what is declared too."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ganglion.core.errors import DiskUnusable, InvalidRequest, TooLarge
from ganglion.hub.domain.fleet.selectors import parse_labels, written
from ganglion.wire.fleet_resources import FleetList, FleetNode

_COLUMNS = ("name", "site", "zone", "labels")
_BYTES_MAX = 50_000_000


def write(fleet: FleetList, file: Path) -> None:
    """Write a list, whole or not at all; the suffix says how. Raises: InvalidRequest, DiskUnusable."""
    text = _csv(fleet) if _is_csv(file) else msgspec.json.format(msgspec.json.encode(fleet), indent=2) + b"\n"
    unfinished = file.with_name(f"{file.name}.new")
    try:
        unfinished.write_bytes(text)
        unfinished.replace(file)
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be written: {error.strerror}") from error


def read(file: Path) -> FleetList:
    """Read a list. Raises: InvalidRequest, TooLarge."""
    is_csv = _is_csv(file)
    try:
        if file.stat().st_size > _BYTES_MAX:
            raise TooLarge(f"{file} is larger than {_BYTES_MAX} bytes")
        data = file.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from error
    if is_csv:
        return FleetList(nodes=_rows(data, file))
    try:
        return msgspec.json.decode(data, type=FleetList)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} is no list of a fleet: {error}") from error


def _is_csv(file: Path) -> bool:
    if file.suffix not in {".csv", ".json"}:
        raise InvalidRequest(f"{file}: the name of a list ends with .csv or .json")
    return file.suffix == ".csv"


def _csv(fleet: FleetList) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerows((node.name, node.site, node.zone, written(node.labels)) for node in fleet.nodes)
    return text.getvalue().encode()


def _rows(data: bytes, file: Path) -> list[FleetNode]:
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        if set(rows.fieldnames or ()) != set(_COLUMNS):
            raise InvalidRequest(f"{file}: the first line names the columns {', '.join(_COLUMNS)}")
        return [_node(row, f"{file}, line {rows.line_num}") for row in rows]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} is not CSV: {error}") from error


def _node(row: Mapping[str | None, object], where: str) -> FleetNode:
    if None in row or any(value is None for value in row.values()):
        raise InvalidRequest(f"{where} has another number of fields than there are columns")
    name, site, zone, labels = (str(row[column]).strip() for column in _COLUMNS)
    try:
        return FleetNode(name=name, site=site, zone=zone, labels=parse_labels(labels))
    except InvalidRequest as error:
        raise InvalidRequest(f"{where}: {error.message}") from error
