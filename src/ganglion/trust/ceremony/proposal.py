"""New trust metadata on its way: what is in force, what is proposed in its place, and who has signed that so far.

A proposal is values only. It travels as files between the machines of key holders, and ends on the hub.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import DeserializationError

from ganglion.core.errors import InvalidName, InvalidRequest
from ganglion.core.trust_errors import ProposalRefused
from ganglion.trust.edition import Edition
from ganglion.trust.signing import is_offline
from ganglion.trust.target_path import check_role

Document: TypeAlias = Metadata[Root] | Metadata[Targets]


class ProposalState(StrEnum):
    """How far a ceremony has come."""

    EMPTY = "empty"
    PROPOSED = "proposed"
    SIGNED_IN_PART = "signed in part"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Present:
    """The metadata in force whose keys may be with people."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    models: Mapping[str, Metadata[Targets]]


@dataclass(frozen=True, slots=True)
class Need:
    """Who still has to sign one document, in the eyes of one delegator."""

    role: str
    delegator: str
    """`root 3` or `targets 7`: whose list of keys decides."""
    threshold: int
    signed: tuple[str, ...]
    """Ids of the keys that signed, and …"""
    waiting: tuple[str, ...]
    """… of those that could."""
    by_hub: bool = False
    """The hub has this key, and signs when the proposal is published."""

    @property
    def missing(self) -> int:
        """How many signatures of key holders are missing."""
        return 0 if self.by_hub else max(0, self.threshold - len(self.signed))


@dataclass(frozen=True, slots=True)
class Proposal:
    """What shall take the place of the present metadata. What is not named stays as it is."""

    present: Present
    root: Metadata[Root] | None = None
    targets: Metadata[Targets] | None = None
    models: Mapping[str, Metadata[Targets]] = field(default_factory=dict)

    @property
    def next_root(self) -> Root:
        """The root as it will be."""
        return (self.root or self.present.root).signed

    @property
    def next_targets(self) -> Targets:
        """The top-level targets as they will be."""
        return (self.targets or self.present.targets).signed

    def next_model(self, role: str) -> Targets | None:
        """Return a model's packages as they will be, or None when the model has none."""
        metadata = self.models.get(role) or self.present.models.get(role)
        return metadata.signed if metadata else None

    def documents(self) -> Iterator[tuple[str, Document]]:
        """Yield what is proposed, by role: root, targets, then models."""
        if self.root:
            yield Root.type, self.root
        if self.targets:
            yield Targets.type, self.targets
        yield from sorted(self.models.items())

    def needs(self) -> list[Need]:
        """Return what each document needs to be signed by, in the eyes of those who will verify it."""
        found: list[Need] = []
        hub_signs = not is_offline(self.present.root.signed)
        stays = hub_signs and not is_offline(self.next_root)
        if self.root:
            found.append(_need(Root.type, self.root, self.present.root.signed, by_hub=hub_signs))
            found.append(_need(Root.type, self.root, self.root.signed, by_hub=stays))
        if self.targets:
            found.append(_need(Targets.type, self.targets, self.next_root, by_hub=stays))
        for role, metadata in sorted(self.models.items()):
            found.append(_need(role, metadata, self.next_targets))
        return found

    def is_complete(self) -> bool:
        """Tell whether something is proposed, and every threshold is met."""
        needs = self.needs()
        return bool(needs) and not any(need.missing for need in needs)


def present_of(edition: Edition) -> Present:
    """Return the part of an edition that ceremonies change. Raises: DataCorrupt."""
    return Present(edition.root, edition.targets, {role: edition.model(role) for role in edition.model_roles()})


def read_present(documents: Mapping[str, bytes]) -> Present:
    """Return the metadata in force, from its documents by role. Expiry is not judged: late is not forged.

    Raises: ProposalRefused: something is missing, malformed, or not signed by the root that is with it.
    """
    if Root.type not in documents or Targets.type not in documents:
        raise ProposalRefused("root or targets are missing among the present metadata")
    nothing = Present(Metadata(Root()), Metadata(Targets()), {})
    found = read(nothing, documents)
    root, targets, models = found.root, found.targets, found.models
    assert root is not None, "it is among the documents"
    assert targets is not None, "it is among the documents"
    try:
        root.verify_delegate(Root.type, root)
        root.verify_delegate(Targets.type, targets)
        for role in (targets.signed.delegations.roles or {}) if targets.signed.delegations else {}:
            targets.verify_delegate(role, models[role])
    except (UnsignedMetadataError, ValueError, KeyError) as error:
        raise ProposalRefused(f"the present metadata is not signed by its own root: {error}") from error
    return Present(root, targets, models)


def state_of(proposal: Proposal) -> ProposalState:
    """Return how far a ceremony has come."""
    needs = proposal.needs()
    if not needs:
        return ProposalState.EMPTY
    if proposal.is_complete():
        return ProposalState.READY
    return ProposalState.SIGNED_IN_PART if any(need.signed for need in needs) else ProposalState.PROPOSED


def read(present: Present, documents: Mapping[str, bytes]) -> Proposal:
    """Return the proposal whose documents these are, by role. Raises: ProposalRefused: one is malformed."""
    proposal = Proposal(present)
    for role, data in sorted(documents.items()):
        try:
            if role == Root.type:
                proposal = replace(proposal, root=_parsed(Root, data))
            elif role == Targets.type:
                proposal = replace(proposal, targets=_parsed(Targets, data))
            else:
                check_role(role)
                proposal = replace(proposal, models={**proposal.models, role: _parsed(Targets, data)})
        except (DeserializationError, InvalidName, TypeError) as error:
            raise ProposalRefused(f"the document {role[:80]!r} is no metadata of that role") from error
    return proposal


def sign(proposal: Proposal, signer: Signer) -> tuple[Proposal, list[str]]:
    """Return the proposal with the signatures that this key may add, and the roles that it signed for.

    A key of the present metadata signs too, so that nodes on either side of the change accept the document.
    Raises: InvalidRequest: this key has nothing to sign, or has signed all of it.
    """
    key = signer.public_key
    entitled = [role for role, _ in proposal.documents() if _is_entitled(proposal, role, key)]
    if not entitled:
        raise InvalidRequest(f"the key {key.keyid[:12]} belongs to no role that this proposal changes")
    unsigned = [role for role, document in proposal.documents() if role in entitled and key.keyid not in (
        document.signatures)]  # fmt: skip
    if not unsigned:
        raise InvalidRequest(f"the key {key.keyid[:12]} has signed all that it may sign here")
    documents = {role: document.to_bytes() for role, document in proposal.documents()}
    signed = read(proposal.present, documents)
    for role, document in signed.documents():
        if role in unsigned:
            document.sign(signer, append=True)
    return signed, unsigned


def merge(one: Proposal, other: Proposal) -> Proposal:
    """Return the proposal with the signatures of both copies of it. Raises: ProposalRefused: they are not copies."""
    merged = read(one.present, {role: document.to_bytes() for role, document in one.documents()})
    theirs = dict(other.documents())
    if theirs.keys() != dict(merged.documents()).keys():
        raise ProposalRefused("the two directories do not propose the same documents")
    for role, document in merged.documents():
        if document.signed_bytes != theirs[role].signed_bytes:
            raise ProposalRefused(f"the two directories propose different things for {role}")
        document.signatures.update(theirs[role].signatures)
    return merged


def _is_entitled(proposal: Proposal, role: str, key: Key) -> bool:
    sides: tuple[Root | Targets, ...]
    if role in (Root.type, Targets.type):
        sides = (proposal.present.root.signed, proposal.next_root)
    else:
        sides = (proposal.present.targets.signed, proposal.next_targets)
    return any(key.keyid in keyids_of(side, role) for side in sides)


def keyids_of(delegator: Root | Targets, role: str) -> tuple[str, ...]:
    """Return the ids of the keys that `delegator` trusts for a role; none when it does not know the role."""
    try:
        return tuple(delegator.get_delegated_role(role).keyids)
    except ValueError:
        return ()


def _need(role: str, document: Document, delegator: Root | Targets, *, by_hub: bool = False) -> Need:
    name = f"{delegator.type} {delegator.version}"
    try:
        result = delegator.get_verification_result(role, document.signed_bytes, document.signatures)
    except ValueError as error:
        raise ProposalRefused(f"{name} knows no role {role}") from error
    return Need(
        role=role,
        delegator=name,
        threshold=result.threshold,
        signed=tuple(sorted(result.signed)),
        waiting=tuple(sorted(result.unsigned)),
        by_hub=by_hub,
    )


def _parsed(kind: type[Root] | type[Targets], data: bytes) -> Metadata:  # type: ignore[type-arg] # one of two
    metadata = Metadata.from_bytes(data)
    if not isinstance(metadata.signed, kind):
        raise TypeError(kind.type)
    return metadata
