"""The keys of the roles that the hub signs by itself, and those that the next root should name for them.

A new key has the number of the next root in its name, so that making it twice is making it once.
"""

from tuf.api.metadata import Root

from ganglion.ports.metadata_files import SigningKeys
from ganglion.trust import assignment, repository
from ganglion.trust.signing import key_name

ROLES = (*repository.ONLINE_ROLES, assignment.ROLE)


def make(keys: SigningKeys, root: Root) -> None:
    """Make new keys for the root that follows. Raises: DiskUnusable."""
    for role in ROLES:
        keys.private_bytes(_next_name(role, root))


def offered_names(keys: SigningKeys, root: Root) -> dict[str, str]:
    """Return by role the name of the key that the next root should name: the new one if there is one."""
    return {
        role: _next_name(role, root) if keys.held_bytes(_next_name(role, root)) else key_name(role, root)
        for role in ROLES
    }


def forget_earlier(keys: SigningKeys, root: Root) -> None:
    """Remove the keys that earlier roots named for these roles. Raises: DiskUnusable."""
    for role in ROLES:
        for name in (role, *(f"{role}-{version}" for version in range(2, root.version + 1))):
            if name != key_name(role, root) and keys.held_bytes(name) is not None:
                keys.remove(name)


def _next_name(role: str, root: Root) -> str:
    return f"{role}-{root.version + 1}"
