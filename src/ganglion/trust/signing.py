"""Signing TUF metadata: one key per role, one lifetime per kind of role.

Every signature is checked against the role's delegator before it leaves this module, so that the
wrong key on the hub's disk is an error here and not an outage on every node.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, T, Targets, Timestamp

from ganglion.core.trust_errors import KeyMismatch
from ganglion.trust.lifetimes import RepositorySettings

_KEY_NAMES = "key_names"
"""A field of our own in the root: roles whose key was changed, with the name of the present key."""

_OFFLINE = "ganglion_keys_offline"
"""A field of our own in the root: the keys of root, targets and models are with people, not on the hub."""

AnySigned: TypeAlias = Root | Targets | Snapshot | Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What dates metadata is given: the time, and lifetimes."""

    now_s: float
    settings: RepositorySettings

    def expiry(self, kind: type[AnySigned]) -> datetime:
        """Return when metadata of this kind that is signed now expires."""
        return self.now() + self._life(kind)

    def is_expired(self, signed: AnySigned) -> bool:
        """Tell whether clients refuse this metadata by now."""
        return signed.is_expired(self.now())

    def is_due(self, signed: AnySigned) -> bool:
        """Tell whether it is time to sign this metadata again."""
        left = signed.expires - self.now()
        life = self._life(type(signed))
        if isinstance(signed, Timestamp):
            # A life as short as that age is halved: a timestamp that is signed when it has expired is too late.
            return left < life - min(timedelta(days=self.settings.timestamp_age_days_max), life / 2)
        return left < life / 3

    def now(self) -> datetime:
        """Return the time, in whole seconds, as metadata states it."""
        return datetime.fromtimestamp(int(self.now_s), tz=UTC)

    def _life(self, kind: type[AnySigned]) -> timedelta:
        settings = self.settings
        days = {
            Root: settings.root_life_days,
            Targets: settings.targets_life_days,
            Snapshot: settings.snapshot_life_days,
            Timestamp: settings.timestamp_life_days,
        }
        return timedelta(days=days[kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing(Terms):
    """What it takes to make metadata: keys by name (raw private bytes), the time, and lifetimes."""

    private_key: Callable[[str], bytes]
    held_key: Callable[[str], bytes | None] | None = None
    """Returns a key only if it is there. Without it all keys are taken to be: development mode."""

    def can_sign(self, role: str, delegator: Root | Targets) -> bool:
        """Tell whether the keys at hand are enough for what clients of `delegator` demand of `role`."""
        if self.held_key is None:
            return True
        private_key = self.held_key(key_name(role, delegator))
        return private_key is not None and is_enough(_signer(private_key).public_key, role, delegator)

    def public_key(self, name: str) -> Key:
        """Return the public half of a key. A role's key has the role's name, until it is changed."""
        return _signer(self.private_key(name)).public_key

    def sign(self, role: str, signed: T, delegator: Root | Targets) -> Metadata[T]:
        """Sign for `role`. Raises: KeyMismatch: clients of `delegator` would not accept the role's key."""
        metadata = Metadata(signed)
        self.cosign(role, metadata, delegator)
        try:
            delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except (UnsignedMetadataError, ValueError) as error:
            raise KeyMismatch(f"the key of the role {role!r} is not the one that this repository trusts") from error
        return metadata

    def cosign(self, role: str, metadata: Metadata[T], delegator: Root | Targets) -> None:
        """Add the signature of `role`'s key to those that are there."""
        metadata.sign(_signer(self.private_key(key_name(role, delegator))), append=True)


def key_name(role: str, delegator: Root | Targets) -> str:
    """Return the name of the key that `delegator` trusts for a role."""
    names = delegator.unrecognized_fields.get(_KEY_NAMES, {})
    return str(names.get(role, role))


def rename_keys(root: Root, names: Mapping[str, str]) -> None:
    """Write into `root` under which names the keys of these roles are from now on."""
    root.unrecognized_fields[_KEY_NAMES] = {**root.unrecognized_fields.get(_KEY_NAMES, {}), **names}


def is_offline(root: Root) -> bool:
    """Tell whether a ceremony took the release keys off the hub; otherwise this is development mode."""
    return root.unrecognized_fields.get(_OFFLINE) is True


def mark_offline(root: Root) -> None:
    """Write into `root` that its release keys are not on the hub."""
    root.unrecognized_fields[_OFFLINE] = True


def is_enough(key: Key, role: str, delegator: Root | Targets) -> bool:
    """Tell whether the signature of this one key is all that `delegator` demands of `role`."""
    try:
        delegated = delegator.get_delegated_role(role)
    except ValueError:
        return False
    return delegated.threshold == 1 and key.keyid in delegated.keyids


def _signer(private_key: bytes) -> CryptoSigner:
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(private_key))
