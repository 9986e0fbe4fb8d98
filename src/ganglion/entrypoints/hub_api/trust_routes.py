"""The hub's trust for its key holders. Every account may send a proposal: its signatures decide, not the sender."""

from typing import Annotated

from fastapi import APIRouter, Body

from ganglion.entrypoints.hub_api.access import Account, HubPart
from ganglion.hub.services.trust_views import trust_documents, trust_view
from ganglion.wire import paths
from ganglion.wire.trust_resources import TrustDocuments, TrustInstalled, TrustView

router = APIRouter(tags=["trust"])
_Documents = Annotated[TrustDocuments, Body()]


@router.get(paths.TRUST)
def show_trust(hub: HubPart, _account: Account) -> TrustView:
    """Return every role with its keys and its expiry."""
    return trust_view(hub.repository)


@router.get(paths.TRUST_DOCUMENTS)
def list_documents(hub: HubPart, _account: Account) -> TrustDocuments:
    """Return the signed metadata that a ceremony may change."""
    return trust_documents(hub.repository)


@router.post(paths.TRUST_PROPOSALS)
def install_proposal(hub: HubPart, _account: Account, proposal: _Documents) -> TrustInstalled:
    """Put new metadata in force, if everyone has signed it who must."""
    hub.repository.install({role: text.encode() for role, text in proposal.documents.items()})
    hub.desired.sign_again(hub.repository.assignment_keys())
    return TrustInstalled(sorted(proposal.documents), hub.repository.root_version())


@router.post(paths.TRUST_ONLINE_KEYS)
def make_online_keys(hub: HubPart, _account: Account) -> TrustView:
    """Make new keys for the roles that the hub signs by itself; they serve when a root names them."""
    hub.repository.make_online_keys()
    return trust_view(hub.repository)


@router.post(paths.TRUST_MODELS)
def offer_models(hub: HubPart, _account: Account, offer: _Documents) -> TrustInstalled:
    """Keep a publisher's signed list of packages until the package that it adds is released."""
    for role, text in offer.documents.items():
        hub.repository.offer_model(role, text.encode())
    return TrustInstalled(sorted(offer.documents), hub.repository.root_version())
