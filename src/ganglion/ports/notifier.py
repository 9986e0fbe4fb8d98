"""Telling somebody outside the hub."""

from collections.abc import Mapping
from typing import Protocol


class Notifier(Protocol):
    """Brings messages to one target. Safe to use from many threads."""

    @property
    def host(self) -> str:
        """Where it is, without what may be secret of its address."""
        ...

    def send(self, body: bytes, headers: Mapping[str, str]) -> str:
        """Bring it once, within a deadline; return why it was not taken, empty when it was."""
        ...
