"""The overview page and the files that belong to it."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.hub_api.access import HubPart
from ganglion.entrypoints.hub_api.web import overview
from ganglion.entrypoints.hub_api.web.templates import render

router = APIRouter()
_STATIC = Path(__file__).parent / "static"


def static_files() -> StaticFiles:
    """Return the style sheet and the icon: all that the page loads, and from here."""
    return StaticFiles(directory=_STATIC)


@router.get("/")
def page(hub: HubPart, request: Request, *, still: bool = False) -> Response:
    """Show the fleet, the rollouts and the newest samples; with `still`, the picture does not renew itself."""
    secret = session.secret_of(request)
    account = hub.accounts.authenticate_session(secret)
    return render(
        "overview.html",
        account=account,
        address=str(request.base_url).rstrip("/"),
        csrf=session.csrf_token(secret),
        overview=overview.look(hub, request.app.state.manifests),
        choices_max=overview.CHOICES_MAX,
        refresh_s=0 if still else hub.settings.page.refresh_s,
    )
