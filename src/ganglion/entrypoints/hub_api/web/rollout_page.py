"""One rollout as a page: its stages, what each rule found, who decided what, and the way back."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from ganglion.entrypoints.hub_api import rollout_routes, session
from ganglion.entrypoints.hub_api.access import HubPart, name_caller
from ganglion.entrypoints.hub_api.web import overview
from ganglion.entrypoints.hub_api.web.templates import render
from ganglion.trust.roles import Right

router = APIRouter(include_in_schema=False)
OPEN_STATES = frozenset({"scheduled", "queued", "awaiting_approval", "running", "paused"})


@router.get("/rollouts/{rollout_id}")
def page(hub: HubPart, request: Request, rollout_id: str) -> Response:
    """Show one rollout; the picture renews itself until the rollout has ended."""
    secret = session.secret_of(request)
    caller = hub.accounts.authenticate_session(secret)
    name_caller(request, caller.actor)
    caller.check(Right.READ)
    view = rollout_routes.show_rollout(hub, caller, rollout_id)
    now_s, took = hub.now_s(), hub.fleet.committed(overview.names_in(view))
    is_over = view.state not in OPEN_STATES and (view.revert is None or view.revert.reverted_at_s is not None)
    return render(
        "rollout.html",
        account=caller.name,
        at_s=now_s,
        csrf=session.csrf_token(secret),
        line=overview.rollout_line(view, took, now_s),
        refresh_s=0 if is_over else hub.settings.page.refresh_s,
    )
