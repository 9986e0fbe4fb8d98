"""The overview page and the files that belong to it."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from ganglion.entrypoints.hub_api import group_routes, session
from ganglion.entrypoints.hub_api.access import HubPart, name_caller
from ganglion.entrypoints.hub_api.web import experiment_lines, overview
from ganglion.entrypoints.hub_api.web.templates import render
from ganglion.trust.roles import Right

router = APIRouter(include_in_schema=False)
_STATIC = Path(__file__).parent / "static"


def static_files() -> StaticFiles:
    """Return the style sheet and the icon: all that the page loads, and from here."""
    return StaticFiles(directory=_STATIC)


@router.get("/")
def page(hub: HubPart, request: Request, *, still: bool | None = None, group: str = "") -> Response:
    """Show the fleet or a group of it, rollouts, experiments and the newest samples.

    `still` says whether the picture renews itself.
    """
    secret = session.secret_of(request)
    caller = hub.accounts.authenticate_session(secret)
    name_caller(request, caller.actor)
    caller.check(Right.READ)
    picture = overview.look(hub, request.app.state.manifests, caller, group=group)
    renews = picture.renews if still is None else not still
    return render(
        "overview.html",
        account=caller.name,
        address=str(request.base_url).rstrip("/"),
        csrf=session.csrf_token(secret),
        overview=picture,
        group=group,
        groups=group_routes.list_groups(hub, caller),
        experiments=experiment_lines.newest(hub, caller),
        refresh_s=hub.settings.page.refresh_s if renews else 0,
    )
