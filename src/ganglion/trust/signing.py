"""Signing TUF metadata: one key per role, one lifetime per kind of role.

Every signature is checked against the role's delegator before it leaves this module, so that the
wrong key on the hub's disk is an error here and not an outage on every node.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, T, Targets, Timestamp

from ganglion.core.errors import KeyMismatch

_KEY_NAMES = "key_names"
"""A field of our own in the root: roles whose key was changed, with the name of the present key."""

Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]


class RepositorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long signed metadata is good. Short lives bound how long an attacker can hide news from a node."""

    root_life_days: Days = 90
    """Life of the root of trust. It is signed again when a third of it is left."""
    targets_life_days: Days = 90
    """Life of the list of models and of each model's list of packages. Signed again when a third is left."""
    snapshot_life_days: Days = 30
    """Life of the list of metadata versions. Signed again when a third is left."""
    timestamp_life_days: Days = 7
    """A node that cannot reach the hub for longer than this installs nothing new; it goes on serving."""
    timestamp_age_days_max: Days = 1
    """The timestamp is signed again when it is older than this."""


@dataclass(frozen=True, slots=True)
class Signing:
    """What it takes to make metadata: keys by name (raw private bytes), the time, and lifetimes."""

    private_key: Callable[[str], bytes]
    now_s: float
    settings: RepositorySettings

    def public_key(self, name: str) -> Key:
        """Return the public half of a key. A role's key has the role's name, until it is changed."""
        return self._signer(name).public_key

    def expiry(self, kind: type[Root | Timestamp | Snapshot | Targets]) -> datetime:
        """Return when metadata of this kind that is signed now expires."""
        return self._now() + self._life(kind)

    def is_due(self, metadata: Metadata[T]) -> bool:
        """Tell whether it is time to sign this metadata again."""
        left = metadata.signed.expires - self._now()
        life = self._life(type(metadata.signed))
        if isinstance(metadata.signed, Timestamp):
            return left < life - timedelta(days=self.settings.timestamp_age_days_max)
        return left < life / 3

    def sign(self, role: str, signed: T, delegator: Root | Targets) -> Metadata[T]:
        """Sign for `role`. Raises: KeyMismatch: clients of `delegator` would not accept the role's key."""
        metadata = Metadata(signed)
        metadata.sign(self._signer(key_name(role, delegator)))
        try:
            delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except (UnsignedMetadataError, ValueError) as error:
            raise KeyMismatch(f"the key of the role {role!r} is not the one that this repository trusts") from error
        return metadata

    def _signer(self, name: str) -> CryptoSigner:
        return CryptoSigner(Ed25519PrivateKey.from_private_bytes(self.private_key(name)))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self.now_s), tz=UTC)

    def _life(self, kind: type[Root | Timestamp | Snapshot | Targets]) -> timedelta:
        settings = self.settings
        days = {
            Root: settings.root_life_days,
            Targets: settings.targets_life_days,
            Snapshot: settings.snapshot_life_days,
            Timestamp: settings.timestamp_life_days,
        }
        return timedelta(days=days[kind])


def key_name(role: str, delegator: Root | Targets) -> str:
    """Return the name of the key that `delegator` trusts for a role."""
    names = delegator.unrecognized_fields.get(_KEY_NAMES, {})
    return str(names.get(role, role))


def rename_keys(root: Root, names: Mapping[str, str]) -> None:
    """Write into `root` under which names the keys of these roles are from now on."""
    root.unrecognized_fields[_KEY_NAMES] = {**root.unrecognized_fields.get(_KEY_NAMES, {}), **names}
