"""The page's form that gives a sample its label."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from ganglion.entrypoints.hub_api import scopes, session
from ganglion.entrypoints.hub_api.access import HubPart, name_caller
from ganglion.trust.roles import Right
from ganglion.wire.resources import LabelRequest

router = APIRouter(include_in_schema=False)
_SEE_OTHER = 303
_TEXT_LENGTH_MAX = 200


@router.post("/label")
def label(
    hub: HubPart,
    request: Request,
    sample_id: Annotated[str, Form(max_length=_TEXT_LENGTH_MAX)],
    label: Annotated[str, Form(min_length=1, max_length=_TEXT_LENGTH_MAX)],
    csrf: Annotated[str, Form()],
    *,
    still: Annotated[bool, Form()] = False,
) -> Response:
    """Store one label in the name of who is logged in, and go back to the samples."""
    secret = session.secret_of(request)
    caller = hub.accounts.authenticate_session(secret)
    name_caller(request, caller.actor)
    session.check_token(secret, csrf)
    caller.check(Right.CURATE)
    scopes.check_samples(hub, caller, [sample_id])
    hub.curation.label([LabelRequest(sample_id, label.strip())], by=caller.actor)
    return RedirectResponse("/?still=1#samples" if still else "/#samples", _SEE_OTHER)
