"""Keeping passwords so that a stolen database does not tell them, at a bounded price."""

from typing import Annotated, Protocol

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class PasswordLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one check, and how many are paid at once."""

    memory_kib: Annotated[int, msgspec.Meta(ge=8192, le=1_048_576)] = 65_536
    """Memory that one check of a password takes, KiB."""
    passes: Positive = 3
    """How often a check goes over its memory."""
    parallel_max: Positive = 2
    """Checks that run at the same time."""
    waiting_max: Annotated[int, msgspec.Meta(ge=0)] = 8
    """Checks that wait for their turn; further ones are answered with 503."""
    wait_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """How long a check waits for its turn at most."""


class Passwords(Protocol):
    """A slow hash with a salt. Each call costs memory and time on purpose, so few run at once."""

    def hash(self, password: str) -> str:
        """Return what is stored of a password. Raises: Overloaded: too many wait for their turn."""
        ...

    def verify(self, stored: str, password: str) -> bool:
        """Tell whether this is the password; takes as long for an empty `stored`, and is False then.

        Raises: Overloaded: too many wait for their turn.
        """
        ...

    def is_outdated(self, stored: str) -> bool:
        """Tell whether it was made with other parameters than those of today."""
        ...
