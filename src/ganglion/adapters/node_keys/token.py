"""A node's keys on a PKCS#11 token: a TPM, a smart card, a security module. Implements `ports.node_keys`.

The private keys never leave the token. Objects are found by label: LABEL is the present key, LABEL-next the next.
Needs the extra `pkcs11` and a token that signs with Ed25519.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from ganglion.adapters.node_keys.locking import file_lock
from ganglion.core.errors import DataCorrupt
from ganglion.core.identity_errors import KeyStoreUnusable

_ED25519_PARAMS = b"\x13\x0cedwards25519"
"""The curve's name as an ASN.1 PrintableString. Source: PKCS#11 3.0, section 2.3.10."""
_KEY_BYTES = 32


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """Which token, and how to open it."""

    module: Path
    """The driver's shared library."""
    label: str
    pin: str
    key_label: str = "ganglion-node"

    def __repr__(self) -> str:
        """Show everything but the PIN."""
        return f"Token({self.label!r} of {self.module})"


class TokenKey:
    """One key of a token."""

    def __init__(self, keys: "TokenKeys", label: str, public_key: str) -> None:
        self._keys, self._label = keys, label
        self.public_key = public_key

    def sign(self, data: bytes) -> bytes:
        """See the port."""
        with self._keys.session() as session:
            private = _only(session, self._label, ObjectClass.PRIVATE_KEY)
            if private is None:
                raise KeyStoreUnusable(f"the token has no key {self._label!r} any more")
            signature: bytes = private.sign(data, mechanism=Mechanism.EDDSA)
            return signature


class TokenKeys:
    """The present key and, while it is being changed, the next one. Each call opens a session: tokens are pulled."""

    def __init__(self, token: Token, *, lock: Path) -> None:
        """`lock` is a file beside which other processes of this node wait. Raises: KeyStoreUnusable."""
        self._token, self._lock = token, lock
        self._opening = threading.Lock()
        with _errors(token):
            self._library: Any = pkcs11.lib(str(token.module))

    def begin(self) -> TokenKey:
        """See the port."""
        return self._find(self._present) or self._make(self._present)

    def current(self) -> TokenKey:
        """See the port."""
        key = self._find(self._present) or self._find(self._next)
        if key is None:
            raise DataCorrupt(f"the token {self._token.label!r} has no key {self._present!r}: join again by a new name")
        return key

    def upcoming(self) -> TokenKey | None:
        """See the port."""
        # Without a present key a power cut came between the two steps of `adopt`: the next one is the present one.
        return self._find(self._next) if self._find(self._present) is not None else None

    def prepare(self) -> TokenKey:
        """See the port."""
        return self._find(self._next) or self._make(self._next)

    def adopt(self) -> None:
        """See the port."""
        with self.session() as session:
            if not list(_labelled(session, self._next)):
                return
            for old in list(_labelled(session, self._present)):
                old.destroy()
            for new in list(_labelled(session, self._next)):
                new[Attribute.LABEL] = self._present

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See the port."""
        with file_lock(self._lock):
            yield

    @contextmanager
    def session(self) -> Iterator[Any]:
        """Open the token for one call. Raises: KeyStoreUnusable."""
        with self._opening, _errors(self._token):
            token = self._library.get_token(token_label=self._token.label)
            with token.open(rw=True, user_pin=self._token.pin) as session:
                yield session

    @property
    def _present(self) -> str:
        return self._token.key_label

    @property
    def _next(self) -> str:
        return f"{self._token.key_label}-next"

    def _find(self, label: str) -> TokenKey | None:
        with self.session() as session:
            public = _only(session, label, ObjectClass.PUBLIC_KEY)
            return TokenKey(self, label, public[Attribute.EC_POINT][-_KEY_BYTES:].hex()) if public is not None else None

    def _make(self, label: str) -> TokenKey:
        with self.session() as session:
            # What a power cut left of an earlier attempt has no public half.
            for leftover in list(_labelled(session, label)):
                leftover.destroy()
            parameters = session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519_PARAMS}, local=True
            )
            parameters.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, label=label, store=True)
        made = self._find(label)
        if made is None:
            raise KeyStoreUnusable(f"the token {self._token.label!r} does not keep what it makes")
        return made


def _labelled(session: pkcs11.Session, label: str) -> Iterator[Any]:
    yield from session.get_objects({Attribute.LABEL: label})


def _only(session: pkcs11.Session, label: str, kind: ObjectClass) -> Any:  # noqa: ANN401 - the binding has no types for objects
    found = list(session.get_objects({Attribute.LABEL: label, Attribute.CLASS: kind}))
    return found[0] if found else None


@contextmanager
def _errors(token: Token) -> Iterator[None]:
    try:
        yield
    except (pkcs11.exceptions.PKCS11Error, OSError) as error:
        raise KeyStoreUnusable(f"{token!r}: {str(error) or type(error).__name__}") from error
    except RuntimeError as error:
        # What the binding raises for a driver that cannot be loaded.
        raise KeyStoreUnusable(f"{token!r}: {error}") from error
