"""Every role of an edition with its keys, its expiry, and who has to do something about it soon."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuf.api.metadata import Key, Metadata, Root, Snapshot, Targets, Timestamp

from ganglion.trust import assignment
from ganglion.trust.ceremony.proposal import keyids_of
from ganglion.trust.edition import Edition
from ganglion.trust.signing import Signing, key_name

KEY_NAME_FIELD = "ganglion_name"
"""A field of our own in a public key: what its holder calls it."""

AnyMetadata = Metadata[Root] | Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp]


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One key that a role is trusted with."""

    key_id: str
    name: str
    on_hub: bool


@dataclass(frozen=True, slots=True)
class Role:
    """One role as it is now."""

    name: str
    version: int
    threshold: int
    keys: tuple[TrustedKey, ...]
    expires_at_s: float | None
    """None for assignments, which have no expiry of their own: they name a revision."""
    is_due: bool
    """It should have been signed again: by the hub if it has the keys, else by their holders."""
    is_expired: bool


def roles_of(edition: Edition, signing: Signing) -> list[Role]:
    """Return every role: root, targets, snapshot, timestamp, assignment, then models. Raises: DataCorrupt."""
    root, targets = edition.root.signed, edition.targets.signed
    top: list[tuple[str, AnyMetadata]] = [
        (Root.type, edition.root),
        (Targets.type, edition.targets),
        (Snapshot.type, edition.snapshot),
        (Timestamp.type, edition.timestamp),
    ]
    found = [_role(name, metadata, root, signing, root.keys) for name, metadata in top]
    found.append(_assignment(root, signing))
    keys = targets.delegations.keys if targets.delegations else {}
    return found + [_role(name, edition.model(name), targets, signing, keys) for name in sorted(edition.model_roles())]


def _role(
    name: str, metadata: AnyMetadata, delegator: Root | Targets, signing: Signing, keys: Mapping[str, Key]
) -> Role:
    on_hub = signing.can_sign(name, delegator)
    return Role(
        name=name,
        version=metadata.signed.version,
        threshold=delegator.get_delegated_role(name).threshold,
        keys=tuple(
            TrustedKey(each, str(keys[each].unrecognized_fields.get(KEY_NAME_FIELD, "")), on_hub)
            for each in keyids_of(delegator, name)
        ),
        expires_at_s=metadata.signed.expires.timestamp(),
        is_due=signing.is_due(metadata.signed),
        is_expired=signing.is_expired(metadata.signed),
    )


def _assignment(root: Root, signing: Signing) -> Role:
    name, held = assignment.ROLE, assignment.keys_of(root)
    private = (signing.held_key or signing.private_key)(key_name(name, root))
    mine = assignment.public_key_of(private) if private else ""
    keys = tuple(TrustedKey(each, "", each == mine) for each in held)
    return Role(name, root.version, 1, keys, None, is_due=False, is_expired=False)
