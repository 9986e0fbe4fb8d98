"""How the inputs of a node differ from the held-out rows of the version that it is to serve, figure by figure."""

from collections.abc import Mapping, Sequence

import msgspec

from ganglion.core import drift, input_counts
from ganglion.core.errors import DataCorrupt, NotFound
from ganglion.core.manifest import HistogramReference, Manifest
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import AssignmentRow, ControlStore, ControlTransaction, ReleaseRow
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.wire.resources import InputShiftView

HOURS_MAX = 7 * 24
_HOUR_MINUTES, _MINUTE_S = 60, 60.0
_Z = 8.0
"""Stricter than for one distribution: up to sixty-four are compared at once."""


def of_node(
    control: ControlStore, telemetry: TelemetryStore, clock: Clock, *, node: str, model: str, hours: int
) -> list[InputShiftView]:
    """Return the figures of the inputs of the last hours, those that moved most first.

    It is empty for a version whose package says nothing of its inputs. Raises: NotFound: there is no such node, or it
    is to serve no version of the model. DataCorrupt.
    """
    with control.read() as tx:
        assigned = _assigned(tx, node, model)
        reference = _reference(tx, assigned)
    since = int(utc_s(clock) // _MINUTE_S) - hours * _HOUR_MINUTES
    with telemetry.read() as records:
        found = records.behaviour(
            node_ids=[assigned.node_id], model=model, version=assigned.version, since_minute=since
        )
    counted = found[assigned.node_id].inputs if found else {}
    views = [_view(name, histogram, counted.get(name, [])) for name, histogram in sorted(reference.items())]
    return sorted(views, key=lambda view: -(view.psi or 0.0))


def reference_of(tx: ControlTransaction, model: str, version: str) -> dict[str, HistogramReference]:
    """Return what the inputs of a version were like on held-out rows, by its first variant that says it.

    Raises: DataCorrupt.
    """
    found = (_inputs_of(row) for row in sorted(tx.releases(model, version), key=lambda row: row.variant))
    return next((reference for reference in found if reference), {})


def shifted(reference: Mapping[str, HistogramReference], counted: Mapping[str, Sequence[int]]) -> list[str]:
    """Return the figures of the inputs that have moved beyond chance."""
    views = (_view(name, histogram, counted.get(name, [])) for name, histogram in sorted(reference.items()))
    return [view.figure for view in views if view.is_shifted]


def _assigned(tx: ControlTransaction, name: str, model: str) -> AssignmentRow:
    node = tx.node_by_name(name)
    if node is None:
        raise NotFound(f"no node has the name {name[:80]!r}")
    found = tx.assignments(node_id=node.node_id, model=model)
    if not found:
        raise NotFound(f"{name} is to serve no version of {model[:80]!r}")
    return found[0]


def _reference(tx: ControlTransaction, assigned: AssignmentRow) -> dict[str, HistogramReference]:
    rows = tx.releases(assigned.model, assigned.version)
    row = next((row for row in rows if row.variant == assigned.variant), None)
    return _inputs_of(row) if row else {}


def _inputs_of(row: ReleaseRow) -> dict[str, HistogramReference]:
    try:
        manifest = msgspec.json.decode(row.manifest, type=Manifest)
    except msgspec.DecodeError as error:
        raise DataCorrupt(f"the stored manifest of {row.model}:{row.version} ({row.variant}) is damaged") from error
    return manifest.drift.inputs if manifest.drift else {}


def _view(name: str, reference: HistogramReference, counted: Sequence[int]) -> InputShiftView:
    expected = [0, *reference.counts, 0]
    bins = input_counts.bins_of(reference.edges)
    # Another variant of the version may have been counted over other edges.
    counts = list(counted) if len(counted) == bins else [0] * bins
    shift = drift.compare(expected, counts, z=_Z) if sum(counts) and sum(expected) else None
    return InputShiftView(
        figure=name,
        rows=sum(counts),
        psi=shift.psi if shift else None,
        threshold=shift.threshold if shift else None,
        is_shifted=shift is not None and shift.is_shifted,
        edges=list(reference.edges),
        expected=expected,
        counts=counts,
    )
