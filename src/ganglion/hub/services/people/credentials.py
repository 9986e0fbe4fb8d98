"""Secrets that the hub gave out: stored by hash, found again until they expire."""

from ganglion.ports.hub_store import ControlTransaction, CredentialRow
from ganglion.trust import bearer

CHALLENGE, ACCESS, ACCOUNT, SESSION = "challenge", "access", "account", "session"


def keep(tx: ControlTransaction, kind: str, secret: str, *, subject: str, expires_at_s: float | None) -> None:
    """Store what is needed to recognise `secret`."""
    row = CredentialRow(secret_hash=bearer.hash_secret(secret), kind=kind, subject=subject, expires_at_s=expires_at_s)
    tx.put_credential(row)


def find(tx: ControlTransaction, kind: str, secret: str, *, now_s: float) -> CredentialRow | None:
    """Return the row of a secret that is known and good now."""
    return _unless_expired(tx.credential(bearer.hash_secret(secret), kind), now_s)


def spend(tx: ControlTransaction, kind: str, secret: str, *, now_s: float) -> CredentialRow | None:
    """Return the row of a secret that is known and good now, and make it good for nothing."""
    return _unless_expired(tx.take_credential(bearer.hash_secret(secret), kind), now_s)


def _unless_expired(row: CredentialRow | None, now_s: float) -> CredentialRow | None:
    if row is None or (row.expires_at_s is not None and now_s >= row.expires_at_s):
        return None
    return row
