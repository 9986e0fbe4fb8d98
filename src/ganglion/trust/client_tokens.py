"""What programs may ask of a serving port: proofs kept by hash, each for named models and verbs."""

from enum import StrEnum

import msgspec

KIND = "client"
"""The middle of a token's text: `ganglion-client-…`."""
SCHEME = b"Bearer "
CERTIFICATES_MAX = 2
"""Certificates of one client that are good together: the present one, and the one before it."""


class Verb(StrEnum):
    """What a client does."""

    INFER = "infer"
    READ = "read"
    """Metadata, statistics, metrics, the list of models."""
    LOAD = "load"
    """Load and unload models, where the server lets clients do that at all."""


class LocalClient(msgspec.Struct, frozen=True, kw_only=True):
    """One client."""

    name: str
    token_sha256: str = ""
    """Empty: the client has certificates and no token."""
    certificates: tuple[str, ...] = ()
    """SHA-256 of the certificates that are good, newest first."""
    models: tuple[str, ...] = ()
    """Empty: all."""
    verbs: tuple[Verb, ...] = (Verb.INFER, Verb.READ)
    added_at_s: float = 0.0
    expires_at_s: float | None = None

    def permits(self, verb: Verb, model: str | None) -> bool:
        """Say whether the client may do this to a model, to all of them ("") or to one not known yet (None)."""
        return verb in self.verbs and (model is None or not self.models or model in self.models)

    def is_good(self, now_s: float) -> bool:
        """Say whether its time is not over."""
        return self.expires_at_s is None or now_s < self.expires_at_s

    def renewed(self, certificate: str, expires_at_s: float) -> "LocalClient":
        """Return the client with one more certificate; the oldest goes when there are too many."""
        certificates = (certificate, *self.certificates)[:CERTIFICATES_MAX]
        return msgspec.structs.replace(self, certificates=certificates, expires_at_s=expires_at_s)


class ClientList(msgspec.Struct, frozen=True):
    """The content of the file."""

    clients: tuple[LocalClient, ...] = ()
    schema: int = 1
