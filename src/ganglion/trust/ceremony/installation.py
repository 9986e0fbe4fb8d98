"""The hub's last look at a proposal: is it signed by those who may sign it, and would every node follow?

What passes becomes the next edition. Root first: until a node has it, the documents that old and new keys signed
together are good on either side.
"""

from dataclasses import replace
from datetime import timedelta

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Targets

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.core.trust_errors import ProposalRefused, SignaturesMissing
from ganglion.trust import assignment, envelope, repository, target_path
from ganglion.trust.ceremony import proposal
from ganglion.trust.ceremony.proposal import Document, Proposal
from ganglion.trust.edition import Edition, MetadataFile, versioned
from ganglion.trust.signing import Signing, is_offline

_CLOCKS_APART_MAX = timedelta(days=1)


def install(edition: Edition, proposed: Proposal, signing: Signing) -> list[MetadataFile]:
    """Return the files that put a proposal in force, in writing order.

    Raises: ProposalRefused: it would shut nodes out, or is not for this edition. SignaturesMissing.
    """
    current = replace(proposed, present=proposal.present_of(edition))
    checked = _with_hub_signatures(edition, current, signing)
    _check_versions(checked, signing)
    _check_signatures(checked)
    if checked.root:
        _check_hub_can_go_on(checked.root.signed, signing)
    _check_models(checked)
    root_files = [versioned(Root.type, checked.root)] if checked.root else []
    changes = dict(checked.models)
    if checked.targets:
        changes[Targets.type] = checked.targets
    return [*root_files, *repository.next_edition(edition, changes, signing, checked.next_root)]


def install_model(edition: Edition, role: str, signed: Metadata[Targets], signing: Signing) -> list[MetadataFile]:
    """Return the files that put a model's next list of packages in force, as its publisher signed it.

    Raises: ProposalRefused, SignaturesMissing.
    """
    checked = Proposal(proposal.present_of(edition), models={role: signed})
    _check_versions(checked, signing)
    _check_signatures(checked)
    _check_paths(role, signed.signed)
    return repository.next_edition(edition, {role: signed}, signing)


def _with_hub_signatures(edition: Edition, proposed: Proposal, signing: Signing) -> Proposal:
    """In development mode the hub's keys are the present ones: add their signatures, so that nodes can follow."""
    present = edition.root.signed
    if is_offline(present):
        return proposed
    documents = {role: document.to_bytes() for role, document in proposed.documents()}
    signed = proposal.read(proposed.present, documents)
    if signed.root and signing.can_sign(Root.type, present):
        signing.cosign(Root.type, signed.root, present)
    if signed.targets and signing.can_sign(Targets.type, present):
        signing.cosign(Targets.type, signed.targets, present)
    return signed


def _check_versions(proposed: Proposal, signing: Signing) -> None:
    held: dict[str, Document] = {
        Root.type: proposed.present.root,
        Targets.type: proposed.present.targets,
        **proposed.present.models,
    }
    documents = dict(proposed.documents())
    if not documents:
        raise ProposalRefused("the proposal is empty")
    for role, document in documents.items():
        demanded = held[role].signed.version + 1 if role in held else 1
        if document.signed.version != demanded:
            raise ProposalRefused(
                f"{role} is proposed in version {document.signed.version}, the hub waits for version {demanded}"
            )
        if signing.is_expired(document.signed):
            raise ProposalRefused(f"{role} would be expired already")
        if document.signed.expires > signing.expiry(type(document.signed)) + _CLOCKS_APART_MAX:
            raise ProposalRefused(f"{role} would be good for longer than its life: check the clock where it was made")


def _check_signatures(proposed: Proposal) -> None:
    missing = [need for need in proposed.needs() if len(need.signed) < need.threshold]
    if missing:
        raise SignaturesMissing(
            "; ".join(
                f"{need.role} has {len(need.signed)} of {need.threshold} signatures that {need.delegator} demands"
                for need in missing
            )
        )
    try:
        targets = proposed.targets or proposed.present.targets
        proposed.next_root.verify_delegate(Targets.type, targets.signed_bytes, targets.signatures)
    except UnsignedMetadataError as error:
        raise ProposalRefused("the present targets are not signed with the proposed keys: propose them too") from error


def _check_hub_can_go_on(root: Root, signing: Signing) -> None:
    """A root that names online keys that this hub does not have would be the end of every update."""
    for role in repository.ONLINE_ROLES if is_offline(root) else sorted(root.roles):
        if not signing.can_sign(role, root):
            way = "" if is_offline(root) else "; development mode keeps all of them, and `ganglion trust init` ends it"
            raise ProposalRefused(f"the hub does not hold the key that the proposed root names for {role}{way}")
    if (
        not assignment.is_demanded(root)
        or repository.assignment_key(root, signing.held_key or signing.private_key) is None
    ):
        raise ProposalRefused("the hub does not hold a key that the proposed root names for assignments")
    if not root.consistent_snapshot:
        raise ProposalRefused("the proposed root gives up consistent snapshots")


def _check_models(proposed: Proposal) -> None:
    """Every role that clients are sent to must have packages that its present key signs, and its own ones only."""
    delegations = proposed.next_targets.delegations
    roles = (delegations.roles or {}) if delegations else {}
    lost = sorted(proposed.present.models.keys() - roles.keys())
    if lost:
        raise ProposalRefused(f"the proposed targets forget {', '.join(lost)}")
    for role, delegated in roles.items():
        metadata = proposed.models.get(role) or proposed.present.models.get(role)
        _check_role(role)
        if metadata is None:
            raise ProposalRefused(f"{role} is delegated to, but its list of packages is missing")
        if delegated.paths != target_path.paths_of(role) or not delegated.terminating:
            raise ProposalRefused(f"{role} may sign more than what is its own")
        try:
            proposed.next_targets.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError as error:
            raise ProposalRefused(f"{role} is not signed with its proposed key") from error
        if role in proposed.models and role == envelope.ROLE:
            _check_envelope(metadata.signed)
        elif role in proposed.models:
            _check_known(role, proposed)


def _check_known(role: str, proposed: Proposal) -> None:
    """Packages come in by being published, with their bytes: a ceremony may only leave some out."""
    before = proposed.present.models.get(role)
    known = before.signed.targets if before else {}
    model = proposed.models[role].signed
    _check_paths(role, model)
    new = [path for path, file in model.targets.items() if known.get(path) != file]
    if new:
        raise ProposalRefused(f"{role} would vouch for {new[0]!r}, which was not published")


def _check_paths(role: str, model: Targets) -> None:
    for path in model.targets:
        try:
            parsed = target_path.parse(path)
        except GanglionError as error:
            raise ProposalRefused(f"{role} names {path[:80]!r}, which cannot be a package") from error
        if parsed.role != role:
            raise ProposalRefused(f"{role} names {path[:80]!r}, a package of another model")


def _check_envelope(signed: Targets) -> None:
    try:
        envelope.parse(envelope.document_in(signed))
    except InvalidRequest as error:
        raise ProposalRefused(error.message) from error


def _check_role(role: str) -> None:
    try:
        target_path.check_role(role)
    except GanglionError as error:
        raise ProposalRefused(f"the role {role[:80]!r} is no model's") from error
