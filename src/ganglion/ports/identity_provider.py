"""An identity provider that knows people: OpenID Connect, code flow with PKCE."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Attempt:
    """What ties an answer of the provider to the question: none of it is ever used twice."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says it is."""

    issuer: str
    subject: str
    """Never given to anybody else by this issuer."""
    name: str
    """As people call them; it may change."""
    groups: tuple[str, ...]


class IdentityProvider(Protocol):
    """Where a browser is sent, and what is made of the answer that it brings back."""

    def address(self, attempt: Attempt) -> str:
        """Return where the browser logs in. Raises: ProviderFailed."""
        ...

    def person(self, attempt: Attempt, code: str) -> Person:
        """Exchange the code for a proof and check it. Raises: ProviderFailed. Unauthenticated: it proves nothing."""
        ...
