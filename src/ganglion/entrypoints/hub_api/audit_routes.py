"""The audit chain: search it, prove it, and take a signed checkpoint away."""

from typing import Annotated

from fastapi import APIRouter, Query

from ganglion.core.errors import NotFound
from ganglion.entrypoints.hub_api import people_views
from ganglion.entrypoints.hub_api.access import HubPart, Operator
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.entrypoints.hub_api.limits import bounded
from ganglion.ports.people_store import AuditQuery
from ganglion.wire import paths
from ganglion.wire.people_resources import (
    AuditFault,
    AuditLinkView,
    CheckpointView,
    ShippedSegments,
    VerificationRequest,
    VerificationView,
)

router = APIRouter(tags=["audit"], route_class=StrictRoute)
_TEXT_MAX = 200
_AT_S_MAX = 9.2e9
"""Databases hold 64 bits of nanoseconds."""
_Text = Annotated[str, Query(max_length=_TEXT_MAX)]
_Moment = Annotated[float, Query(ge=0, le=_AT_S_MAX, allow_inf_nan=False)]


@router.get(paths.AUDIT)
def search_audit(  # noqa: PLR0913 - one parameter for each thing that a link can be found by
    hub: HubPart,
    caller: Operator,
    writer: _Text = "",
    actor: _Text = "",
    action: _Text = "",
    *,
    subject: _Text = "",
    since_s: _Moment = 0.0,
    until_s: _Moment = _AT_S_MAX,
    after: Annotated[int, Query(ge=-1, le=2**63 - 1)] = -1,
    oldest_first: bool = False,
    limit: Annotated[int, Query(ge=1)] = 100,
) -> list[AuditLinkView]:
    """List links of audit chains, newest first. `action` may be the beginning of one; `after` is a number."""
    caller.check_whole_fleet()
    query = AuditQuery(
        writer=writer,
        actor=actor,
        action=action,
        subject=subject,
        since_ns=int(since_s * 1e9),
        until_ns=int(until_s * 1e9),
        after=after,
        newest_first=not oldest_first,
        limit=bounded(limit, hub.settings.http.rows_max),
    )
    return [people_views.audit_link(row) for row in hub.audit.search(query)]


@router.post(paths.AUDIT_VERIFICATION)
def verify_audit(hub: HubPart, caller: Operator, request: VerificationRequest) -> VerificationView:
    """Prove a chain from its first link to its last, against every checkpoint that the hub and the caller have."""
    caller.check_whole_fleet()
    faults = hub.audit.verify(request.writer, kept=[people_views.kept(each) for each in request.kept])
    point = None if faults else hub.audit.checkpoint(request.writer)
    return VerificationView(
        writer=request.writer,
        faults=[AuditFault(fault.number, fault.kind, fault.text) for fault in faults],
        public_key=hub.audit.public_key,
        checkpoint=people_views.checkpoint(point) if point else None,
    )


@router.post(paths.AUDIT_CHECKPOINTS, status_code=201)
def sign_checkpoint(hub: HubPart, caller: Operator) -> CheckpointView:
    """Sign for the newest link of the hub's chain."""
    caller.check_whole_fleet()
    point = hub.audit.checkpoint()
    if point is None:
        raise NotFound("the chain has no link yet")
    return people_views.checkpoint(point)


@router.post(paths.AUDIT_SEGMENTS, status_code=201)
def ship_segments(hub: HubPart, caller: Operator) -> ShippedSegments:
    """Close what was not shipped yet of the hub's chain into segments, and ship them to where the settings say."""
    caller.check_whole_fleet()
    return ShippedSegments(list(hub.trail.shipping.ship()))
