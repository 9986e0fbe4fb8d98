"""The hub's trust, as key holders see it."""

import hashlib

from tuf.api.metadata import Root, Targets

from ganglion.hub.services.releases.repository import Repository
from ganglion.trust.ceremony.inventory import Role
from ganglion.trust.signing import key_name
from ganglion.wire.trust_resources import OnlineKeyView, TrustDocuments, TrustKeyView, TrustRoleView, TrustView


def trust_view(repository: Repository) -> TrustView:
    """Return roles, keys and expiries as they are now. Raises: DataCorrupt, DiskUnusable."""
    root = repository.present().root.signed
    names = repository.online_key_names()
    return TrustView(
        mode="development" if repository.is_development else "production",
        root_version=repository.root_version(),
        root_sha256=hashlib.sha256(repository.root()).hexdigest(),
        roles=[_role_view(role) for role in repository.roles()],
        online_keys=[
            OnlineKeyView(role, name, repository.public_key(name).hex(), is_new=name != key_name(role, root))
            for role, name in names.items()
        ],
    )


def trust_documents(repository: Repository) -> TrustDocuments:
    """Return the metadata in force that a ceremony may change. Raises: DataCorrupt, DiskUnusable."""
    present = repository.present()
    documents = {Root.type: present.root.to_bytes(), Targets.type: present.targets.to_bytes()}
    documents |= {role: metadata.to_bytes() for role, metadata in present.models.items()}
    return TrustDocuments({role: data.decode() for role, data in documents.items()})


def _role_view(role: Role) -> TrustRoleView:
    return TrustRoleView(
        name=role.name,
        version=role.version,
        threshold=role.threshold,
        keys=[TrustKeyView(key.key_id, key.name, key.on_hub) for key in role.keys],
        expires_at_s=role.expires_at_s,
        is_due=role.is_due,
        is_expired=role.is_expired,
    )
