"""The hub's TUF repository: what to sign, in which version, and in which order to write it.

Pure: files come in through `read`, and go out as a list in writing order. Every file but the last,
timestamp.json, has its version in its name, and no client asks for one before the timestamp leads to
it; so a power cut between any two writes leaves a valid repository, the old one. A version that was
written but never reached is written over by the next attempt.
"""

import copy
from collections.abc import Callable, Mapping
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

from ganglion.core.errors import Conflict
from ganglion.core.ids import Digest
from ganglion.core.trust_errors import KeyMismatch, SignaturesMissing
from ganglion.trust import assignment
from ganglion.trust.edition import TIMESTAMP_FILE, Edition, MetadataFile, versioned
from ganglion.trust.signing import Signing, Terms, is_enough, is_offline, key_name, rename_keys
from ganglion.trust.target_path import TargetPath, pattern_of, role_of

ONLINE_ROLES = (Snapshot.type, Timestamp.type)
"""TUF's roles whose keys are always on the hub: it signs them daily."""

Changes: TypeAlias = Mapping[str, Metadata[Targets]]
"""New metadata by role, in the order in which it may be written."""


@dataclass(frozen=True, slots=True)
class Package:
    """What a model's role vouches for."""

    path: TargetPath
    sha256: Digest
    size_bytes: int
    memory_bytes_max: int | None = None
    """What the manifest asks for, so that a node knows before it brings the package."""
    offline_s_max: int = 0
    """How long a node may serve the model without contact; 0: for ever."""


def create(signing: Signing) -> list[MetadataFile]:
    """Return the files of an empty repository, version 1 of each."""
    root = Root(version=1, expires=signing.expiry(Root), consistent_snapshot=True)
    for role in sorted(TOP_LEVEL_ROLE_NAMES):
        root.add_key(signing.public_key(role), role)
    assignment.name_keys(root, (assignment.public_key_of(signing.private_key(assignment.ROLE)),))
    targets = Targets(version=1, expires=signing.expiry(Targets))
    root_file = versioned(Root.type, signing.sign(Root.type, root, root))
    targets_file = versioned(Targets.type, signing.sign(Targets.type, targets, root))
    meta = {"targets.json": targets_file.described(1)}
    snapshot = Snapshot(version=1, expires=signing.expiry(Snapshot), meta=meta)
    return [root_file, targets_file, *_seal(snapshot, 1, signing, root)]


def publish(edition: Edition, package: Package, signing: Signing) -> list[MetadataFile]:
    """Return the files that add a package; none when it is there already.

    A model that was not known gets its own delegated role and key.
    Raises: Conflict: other bytes are published under this path. SignaturesMissing: its key is not here. KeyMismatch.
    """
    path = package.path
    model = edition.model(path.role) if path.role in edition.model_roles() else None
    if model is not None and has_package(model.signed, package):
        return []
    _check_can_publish(edition, path, signing, is_new=model is None)
    delegator = edition.targets.signed if model else _delegate(edition.targets.signed, path.model, signing)
    signed = with_package(model.signed if model else None, package, signing)
    changes = {path.role: signing.sign(path.role, signed, delegator)}
    if model is None:
        changes[Targets.type] = signing.sign(Targets.type, delegator, edition.root.signed)
    return next_edition(edition, changes, signing)


def with_package(model: Targets | None, package: Package, terms: Terms) -> Targets:
    """Return the next version of a model's packages, with one more. Raises: Conflict."""
    if model is not None and has_package(model, package):
        raise Conflict(f"{package.path} is published already")
    return Targets(
        version=model.version + 1 if model else 1,
        expires=terms.expiry(Targets),
        targets={**(model.targets if model else {}), str(package.path): target_file(package)},
    )


def has_package(model: Targets, package: Package) -> bool:
    """Tell whether a model's role signs this package. Raises: Conflict: it signs other bytes of this name."""
    present = model.targets.get(str(package.path))
    if present is None:
        return False
    if present.hashes.get("sha256") == package.sha256 and present.length == package.size_bytes:
        return True
    raise Conflict(f"{package.path} is published with other bytes: a version never changes, make a new one")


def renew(edition: Edition, signing: Signing) -> list[MetadataFile]:
    """Return the files that keep the repository from expiring; none when nothing is due. Raises: KeyMismatch.

    What is signed with keys that are not here is left to those who hold them.
    """
    root, targets = edition.root.signed, edition.targets.signed
    can_root = signing.can_sign(Root.type, root)
    root_files = _renewed_root(root, signing) if can_root and signing.is_due(root) else []
    changes = {
        role: signing.sign(role, _again(metadata.signed, signing, None), targets)
        for role in edition.model_roles()
        if signing.can_sign(role, targets) and signing.is_due((metadata := edition.model(role)).signed)
    }
    if signing.can_sign(Targets.type, root) and signing.is_due(targets):
        again = _again(targets, signing, targets.delegations)
        changes[Targets.type] = signing.sign(Targets.type, again, root)
    if changes or signing.is_due(edition.snapshot.signed) or not is_sealed(edition):
        return [*root_files, *next_edition(edition, changes, signing)]
    if signing.is_due(edition.timestamp.signed):
        present = edition.timestamp.signed
        return [*root_files, _timestamp(present.snapshot_meta, present.version + 1, signing, edition.root.signed)]
    return root_files


def name_assignment_key(edition: Edition, signing: Signing) -> list[MetadataFile]:
    """Return the root that names the hub's key for assignments, if the present one is older than those. KeyMismatch."""
    root = edition.root.signed
    if assignment.is_demanded(root) or not signing.can_sign(Root.type, root):
        return []
    following = _next_root(root, signing)
    assignment.name_keys(following, (assignment.public_key_of(signing.private_key(assignment.ROLE)),))
    return [versioned(Root.type, signing.sign(Root.type, following, root))]


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
    """Make sure that the keys that should be on the hub are the ones that the root names. Raises: KeyMismatch."""
    root = edition.root.signed
    for name in ONLINE_ROLES if is_offline(root) else sorted(TOP_LEVEL_ROLE_NAMES):
        if not is_enough(signing.public_key(key_name(name, root)), name, root):
            raise KeyMismatch(f"the key of the role {name!r} is not the one that this repository trusts")
    if assignment.is_demanded(root) and assignment_key(root, signing.held_key or signing.private_key) is None:
        raise KeyMismatch("the key for assignments is not the one that this repository trusts")


def assignment_key(root: Root, held_key: Callable[[str], bytes | None]) -> bytes | None:
    """Return the private key that signs assignments, or None when it is not one that the root names."""
    key = held_key(key_name(assignment.ROLE, root))
    return key if key and assignment.public_key_of(key) in assignment.keys_of(root) else None


def _check_can_publish(edition: Edition, path: TargetPath, signing: Signing, *, is_new: bool) -> None:
    if is_new and not signing.can_sign(Targets.type, edition.root.signed):
        raise SignaturesMissing(
            f"the model {path.model} has no role yet, and the key that gives it one is not on this hub: "
            f"`ganglion trust delegate` proposes it"
        )
    if not is_new and not signing.can_sign(path.role, edition.targets.signed):
        raise SignaturesMissing(
            f"the key of the role {path.role} is not on this hub: publish with `ganglion model publish --key FILE`"
        )


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


def target_file(package: Package) -> TargetFile:
    """Return the signed entry of a package."""
    path = package.path
    custom: dict[str, str | int] = {"model": path.model, "version": path.version, "variant": path.variant}
    if package.memory_bytes_max is not None:
        custom["memory_bytes_max"] = package.memory_bytes_max
    if package.offline_s_max:
        custom["offline_s_max"] = package.offline_s_max
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


def next_edition(edition: Edition, changes: Changes, signing: Signing, root: Root | None = None) -> list[MetadataFile]:
    """Return the changed roles, the snapshot that lists them, and last the timestamp that leads to it.

    Snapshot and timestamp are for clients of `root`, or of the present one.
    """
    files = [versioned(role, metadata) for role, metadata in changes.items()]
    described = zip(changes.items(), files, strict=True)
    news = {f"{role}.json": file.described(metadata.signed.version) for (role, metadata), file in described}
    snapshot = Snapshot(
        version=edition.snapshot.signed.version + 1,
        expires=signing.expiry(Snapshot),
        meta={**edition.snapshot.signed.meta, **news},
    )
    return [*files, *_seal(snapshot, edition.timestamp.signed.version + 1, signing, root or edition.root.signed)]


def _seal(snapshot: Snapshot, timestamp_version: int, signing: Signing, root: Root) -> list[MetadataFile]:
    file = versioned(Snapshot.type, signing.sign(Snapshot.type, snapshot, root))
    return [file, _timestamp(file.described(snapshot.version), timestamp_version, signing, root)]


def _timestamp(snapshot_meta: MetaFile, version: int, signing: Signing, root: Root) -> MetadataFile:
    signed = Timestamp(version=version, expires=signing.expiry(Timestamp), snapshot_meta=snapshot_meta)
    return MetadataFile(name=TIMESTAMP_FILE, data=signing.sign(Timestamp.type, signed, root).to_bytes())
