"""The hub's TUF repository: what to sign, in which version, and in which order to write it.

Pure: files come in through `read`, and go out as a list in writing order. Every file but the last,
timestamp.json, has its version in its name, and no client asks for one before the timestamp leads to
it; so a power cut between any two writes leaves a valid repository, the old one. A version that was
written but never reached is written over by the next attempt.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    TOP_LEVEL_ROLE_NAMES,
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from ganglion.core.errors import Conflict, KeyMismatch
from ganglion.core.ids import Digest
from ganglion.trust.edition import TIMESTAMP_FILE, Edition, MetadataFile, versioned
from ganglion.trust.signing import Signing, key_name, rename_keys
from ganglion.trust.target_path import TargetPath, pattern_of, role_of

Changes: TypeAlias = Mapping[str, Metadata[Targets]]
"""New metadata by role, in the order in which it may be written."""


@dataclass(frozen=True, slots=True)
class Package:
    """What a model's role vouches for."""

    path: TargetPath
    sha256: Digest
    size_bytes: int


def create(signing: Signing) -> list[MetadataFile]:
    """Return the files of an empty repository, version 1 of each."""
    root = Root(version=1, expires=signing.expiry(Root), consistent_snapshot=True)
    for role in sorted(TOP_LEVEL_ROLE_NAMES):
        root.add_key(signing.public_key(role), role)
    targets = Targets(version=1, expires=signing.expiry(Targets))
    root_file = versioned(Root.type, signing.sign(Root.type, root, root))
    targets_file = versioned(Targets.type, signing.sign(Targets.type, targets, root))
    meta = {"targets.json": targets_file.described(1)}
    snapshot = Snapshot(version=1, expires=signing.expiry(Snapshot), meta=meta)
    return [root_file, targets_file, *_seal(snapshot, 1, signing, root)]


def publish(edition: Edition, package: Package, signing: Signing) -> list[MetadataFile]:
    """Return the files that add a package; none when it is there already.

    A model that was not known gets its own delegated role and key.
    Raises: Conflict: other bytes are published under this path. KeyMismatch.
    """
    path = package.path
    model = edition.model(path.role).signed if path.role in edition.model_roles() else None
    packages = model.targets if model else {}
    if str(path) in packages:
        return _published_before(packages[str(path)], package)
    delegator = edition.targets.signed if model else _delegate(edition.targets.signed, path.model, signing)
    signed = Targets(
        version=model.version + 1 if model else 1,
        expires=signing.expiry(Targets),
        targets={**packages, str(path): _target_file(package)},
    )
    changes = {path.role: signing.sign(path.role, signed, delegator)}
    if model is None:
        changes[Targets.type] = signing.sign(Targets.type, delegator, edition.root.signed)
    return _next_edition(edition, changes, signing)


def renew(edition: Edition, signing: Signing) -> list[MetadataFile]:
    """Return the files that keep the repository from expiring; none when nothing is due. Raises: KeyMismatch."""
    root_files = _renewed_root(edition.root.signed, signing) if signing.is_due(edition.root) else []
    changes = {
        role: signing.sign(role, _again(metadata.signed, signing, None), edition.targets.signed)
        for role in edition.model_roles()
        if signing.is_due(metadata := edition.model(role))
    }
    if signing.is_due(edition.targets):
        targets = _again(edition.targets.signed, signing, edition.targets.signed.delegations)
        changes[Targets.type] = signing.sign(Targets.type, targets, edition.root.signed)
    if changes or signing.is_due(edition.snapshot) or not is_sealed(edition):
        return [*root_files, *_next_edition(edition, changes, signing)]
    if signing.is_due(edition.timestamp):
        present = edition.timestamp.signed
        return [*root_files, _timestamp(present.snapshot_meta, present.version + 1, signing, edition.root.signed)]
    return root_files


def recover(edition: Edition, signing: Signing) -> list[MetadataFile]:
    """Return the files after which clients forget which versions they have seen. Raises: KeyMismatch.

    For a hub that was restored from an older copy: its clients know newer versions than it does, and would refuse
    all that it signs. A new root with new keys for timestamp and snapshot ends that (TUF specification, 5.3.11).
    """
    before = edition.root.signed
    root = _next_root(before, signing)
    names = {role: f"{role}-{root.version}" for role in (Snapshot.type, Timestamp.type)}
    for role, name in names.items():
        for keyid in tuple(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        root.add_key(signing.public_key(name), role)
    rename_keys(root, names)
    root_file = versioned(Root.type, signing.sign(Root.type, root, before))
    return [root_file, *_sealed_again(edition, signing, root)]


def is_sealed(edition: Edition) -> bool:
    """Tell whether the newest root trusts timestamp and snapshot: a kill inside `recover` may have left older ones."""
    for role, metadata in ((Timestamp.type, edition.timestamp), (Snapshot.type, edition.snapshot)):
        try:
            edition.root.verify_delegate(role, metadata)
        except UnsignedMetadataError:
            return False
    return True


def check_keys(edition: Edition, signing: Signing) -> None:
    """Make sure that the top-level keys are the ones in the root. Raises: KeyMismatch."""
    for name, role in edition.root.signed.roles.items():
        if signing.public_key(key_name(name, edition.root.signed)).keyid not in role.keyids:
            raise KeyMismatch(f"the key of the role {name!r} is not the one that this repository trusts")


def _renewed_root(root: Root, signing: Signing) -> list[MetadataFile]:
    return [versioned(Root.type, signing.sign(Root.type, _next_root(root, signing), root))]


def _next_root(root: Root, signing: Signing) -> Root:
    """Return a copy of `root` with the next version; what is changed in it leaves `root` alone."""
    following = Root.from_dict(copy.deepcopy(root.to_dict()))
    following.version, following.expires = root.version + 1, signing.expiry(Root)
    return following


def _sealed_again(edition: Edition, signing: Signing, root: Root) -> list[MetadataFile]:
    present = edition.snapshot.signed
    snapshot = Snapshot(version=present.version + 1, expires=signing.expiry(Snapshot), meta=present.meta)
    return _seal(snapshot, edition.timestamp.signed.version + 1, signing, root)


def _published_before(present: TargetFile, package: Package) -> list[MetadataFile]:
    if present.hashes.get("sha256") == package.sha256 and present.length == package.size_bytes:
        return []
    raise Conflict(f"{package.path} is published with other bytes: a version never changes, make a new one")


def _target_file(package: Package) -> TargetFile:
    path = package.path
    custom = {"model": path.model, "version": path.version, "variant": path.variant}
    return TargetFile(package.size_bytes, {"sha256": package.sha256}, str(path), {"custom": custom})


def _delegate(targets: Targets, model: str, signing: Signing) -> Targets:
    """Return the next version of `targets`, in which `model` has its own role and key."""
    role, key = role_of(model), signing.public_key(role_of(model))
    delegated = DelegatedRole(role, [key.keyid], 1, terminating=True, paths=[pattern_of(model)])
    present = targets.delegations or Delegations({}, {})
    delegations = Delegations({**present.keys, key.keyid: key}, {**(present.roles or {}), role: delegated})
    return _again(targets, signing, delegations)


def _again(targets: Targets, signing: Signing, delegations: Delegations | None) -> Targets:
    return Targets(
        version=targets.version + 1,
        expires=signing.expiry(Targets),
        targets=targets.targets,
        delegations=delegations,
    )


def _next_edition(edition: Edition, changes: Changes, signing: Signing) -> list[MetadataFile]:
    """Return the changed roles, the snapshot that lists them, and last the timestamp that leads to it."""
    files = [versioned(role, metadata) for role, metadata in changes.items()]
    described = zip(changes.items(), files, strict=True)
    news = {f"{role}.json": file.described(metadata.signed.version) for (role, metadata), file in described}
    snapshot = Snapshot(
        version=edition.snapshot.signed.version + 1,
        expires=signing.expiry(Snapshot),
        meta={**edition.snapshot.signed.meta, **news},
    )
    return [*files, *_seal(snapshot, edition.timestamp.signed.version + 1, signing, edition.root.signed)]


def _seal(snapshot: Snapshot, timestamp_version: int, signing: Signing, root: Root) -> list[MetadataFile]:
    file = versioned(Snapshot.type, signing.sign(Snapshot.type, snapshot, root))
    return [file, _timestamp(file.described(snapshot.version), timestamp_version, signing, root)]


def _timestamp(snapshot_meta: MetaFile, version: int, signing: Signing, root: Root) -> MetadataFile:
    signed = Timestamp(version=version, expires=signing.expiry(Timestamp), snapshot_meta=snapshot_meta)
    return MetadataFile(name=TIMESTAMP_FILE, data=signing.sign(Timestamp.type, signed, root).to_bytes())
