"""Reads what people give to `ganglion simulate`: scenarios, profiles and measured links."""

import csv
import gzip
import itertools
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path

import msgspec

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.entrypoints.advise.files import read_tree
from ganglion.testing.world import scenario as scenarios
from ganglion.testing.world.link import BandwidthTrace
from ganglion.testing.world.scenario import Scenario

ROWS_MAX = 5_000_000
profile_text = scenarios.profile_text


def fleet(file: Path | None, profile: str, *, nodes: int | None, hours: float | None) -> Scenario:
    """Return the fleet that a file or a profile describes, with what the options say instead.

    Raises: InvalidRequest, InvalidSettings, NotFound, TooLarge.
    """
    if file is not None and profile:
        raise InvalidRequest("give a scenario or a profile, not both: --show-profile prints one to begin from")
    tree: object = {}
    if file is not None:
        tree = read_tree(file)
    elif profile:
        tree = tomllib.loads(profile_text(profile))
    described = scenarios.read_scenario(tree)
    if nodes is not None:
        devices = described.devices
        fewer = msgspec.structs.replace(devices, nodes=nodes, sites=min(devices.sites, nodes))
        described = msgspec.structs.replace(described, devices=fewer)
    if hours is not None:
        described = msgspec.structs.replace(described, hours=hours)
    scenarios.check(described)
    return described


def read_traces(file: Path) -> Sequence[BandwidthTrace]:
    """Return measured links, one for each name in the column `trace`. An outage is a bandwidth of 0.

    Raises: NotFound, InvalidRequest: it has not these columns, or a value that no link has.
    """
    try:
        with (
            gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as raw,
            TextIOWrapper(raw, encoding="utf-8", newline="") as text,
        ):
            return _traces(csv.DictReader(text))
    except (OSError, EOFError) as error:
        raise NotFound(f"{file} cannot be read: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"{file} is no CSV: {error}") from error


def _traces(rows: Iterable[dict[str, str]]) -> Sequence[BandwidthTrace]:
    traces = [
        _trace(name, part)
        for name, part in itertools.groupby(itertools.islice(rows, ROWS_MAX), key=lambda row: row.get("trace", ""))
    ]
    if not traces:
        raise InvalidRequest("the file of traces has no rows")
    return traces


def _trace(name: str, rows: Iterator[dict[str, str]]) -> BandwidthTrace:
    ends_s, kbps, at_s = [], [], 0.0
    for row in rows:
        try:
            duration_s, speed = float(row["duration_ms"]) / 1000.0, float(row["bandwidth_kbps"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequest(f"trace {name[:40]!r} needs numbers for duration_ms and bandwidth_kbps") from error
        if not (0.0 < duration_s < float("inf") and 0.0 <= speed < float("inf")):
            raise InvalidRequest(f"trace {name[:40]!r} has {duration_s:g} s of {speed:g} kbit/s")
        at_s += duration_s
        ends_s.append(at_s)
        kbps.append(speed)
    return BandwidthTrace(ends_s, kbps)
