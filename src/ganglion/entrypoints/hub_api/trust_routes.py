"""The hub's trust for its key holders. Signatures decide what a proposal changes; who sends it is written down."""

from typing import Annotated

from fastapi import APIRouter, Body

from ganglion.entrypoints.hub_api.access import Administrator, HubPart, Publisher, Viewer
from ganglion.hub.services.releases.trust_views import trust_documents, trust_view
from ganglion.trust.roles import Caller, Right
from ganglion.trust.target_path import role_of
from ganglion.wire import paths
from ganglion.wire.trust_resources import TrustDocuments, TrustInstalled, TrustView

router = APIRouter(tags=["trust"])
_Documents = Annotated[TrustDocuments, Body()]


@router.get(paths.TRUST)
def show_trust(hub: HubPart, _caller: Viewer) -> TrustView:
    """Return every role with its keys and its expiry."""
    return trust_view(hub.repository)


@router.get(paths.TRUST_DOCUMENTS)
def list_documents(hub: HubPart, _caller: Viewer) -> TrustDocuments:
    """Return the signed metadata that a ceremony may change."""
    return trust_documents(hub.repository)


@router.post(paths.TRUST_PROPOSALS)
def install_proposal(hub: HubPart, caller: Publisher, proposal: _Documents) -> TrustInstalled:
    """Put new metadata in force, if everyone has signed it who must."""
    _check_roles(caller, proposal)
    with hub.trail.deeds.doing(caller.actor, "trust.installed", ", ".join(sorted(proposal.documents))):
        hub.repository.install({role: text.encode() for role, text in proposal.documents.items()})
    hub.desired.sign_again(hub.repository.assignment_keys())
    hub.desired.tell_limits()
    return TrustInstalled(sorted(proposal.documents), hub.repository.root_version())


@router.post(paths.TRUST_ONLINE_KEYS)
def make_online_keys(hub: HubPart, caller: Administrator) -> TrustView:
    """Make new keys for the roles that the hub signs by itself; they serve when a root names them."""
    with hub.trail.deeds.doing(caller.actor, "trust.online_keys_made"):
        hub.repository.make_online_keys()
    return trust_view(hub.repository)


@router.post(paths.TRUST_MODELS)
def offer_models(hub: HubPart, caller: Publisher, offer: _Documents) -> TrustInstalled:
    """Keep a publisher's signed list of packages until the package that it adds is released."""
    _check_roles(caller, offer)
    for role, text in offer.documents.items():
        with hub.trail.deeds.doing(caller.actor, "trust.model_offered", role):
            hub.repository.offer_model(role, text.encode())
    return TrustInstalled(sorted(offer.documents), hub.repository.root_version())


def _check_roles(caller: Caller, documents: TrustDocuments) -> None:
    """Raises: Forbidden: a publisher sends what is not of their models; everything else is an admin's."""
    own = {role_of(model) for model in caller.scope.models}
    for role in documents.documents:
        if not role.startswith(role_of("")) or (own and role not in own):
            caller.check(Right.ADMINISTER)
            caller.check_unlimited()
