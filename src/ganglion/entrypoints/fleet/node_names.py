"""Which nodes tokens are made for: a count and a prefix, or the lines of a CSV file."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ganglion.core.errors import InvalidRequest, TooLarge
from ganglion.hub.domain.fleet.selectors import parse_labels
from ganglion.wire.resources import TokenRequest

_COLUMNS = frozenset({"name", "site", "zone", "labels"})
_COUNT_MAX = 100_000
_BYTES_MAX = 10_000_000


def requests(plain: TokenRequest, *, names: Path | None, count: int | None, prefix: str) -> list[TokenRequest]:
    """Return a request for each node; `plain` has what a line does not say. Raises: InvalidRequest, TooLarge."""
    if (names is None) == (count is None):
        raise InvalidRequest("give either a file with names or a count")
    if names is not None:
        found = _from_file(plain, names)
    else:
        if count is None or not 0 < count <= _COUNT_MAX:
            raise InvalidRequest(f"the count lies between 1 and {_COUNT_MAX}")
        found = [replace(plain, name=f"{prefix}{number}") for number in range(1, count + 1)]
    if not found:
        raise InvalidRequest(f"{names} names no node")
    return found


def _from_file(plain: TokenRequest, file: Path) -> list[TokenRequest]:
    try:
        if file.stat().st_size > _BYTES_MAX:
            raise TooLarge(f"{file} is larger than {_BYTES_MAX} bytes")
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.DictReader(opened, strict=True, skipinitialspace=True)
            columns = set(rows.fieldnames or ())
            if "name" not in columns or not columns <= _COLUMNS:
                raise InvalidRequest(
                    f"{file}: the first line names the columns: name, and at will site, zone and labels"
                )
            return [_request(plain, row, f"{file}, line {rows.line_num}") for row in rows]
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} is not CSV: {error}") from error


def _request(plain: TokenRequest, row: Mapping[str | None, object], where: str) -> TokenRequest:
    if None in row:
        raise InvalidRequest(f"{where} has more fields than there are columns")
    given = {str(column): str(value or "").strip() for column, value in row.items()}
    if not given["name"]:
        raise InvalidRequest(f"{where} has no name")
    return replace(
        plain,
        name=given["name"],
        site=given.get("site") or plain.site,
        zone=given.get("zone") or plain.zone,
        labels=plain.labels | _labels(given.get("labels", ""), where),
    )


def _labels(text: str, where: str) -> dict[str, str]:
    try:
        return parse_labels(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"{where}: {error.message}") from error
