"""Passwords with argon2id: implements `ports.passwords`.

Each check takes its memory for as long as it runs. Without a bound, a thousand logins at once would take the
hub's memory; so a few run, a few wait, and the rest are told to come again.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from ganglion.core.errors import Overloaded
from ganglion.ports.passwords import PasswordLimits


class Argon2Passwords:
    """Hashes and checks passwords. Safe to use from many threads."""

    def __init__(self, limits: PasswordLimits | None = None) -> None:
        self._limits = limits or PasswordLimits()
        self._hasher = argon2.PasswordHasher(
            time_cost=self._limits.passes, memory_cost=self._limits.memory_kib, parallelism=1
        )
        self._running = threading.Semaphore(self._limits.parallel_max)
        self._present = threading.Semaphore(self._limits.parallel_max + self._limits.waiting_max)
        self._nobody: str | None = None

    def hash(self, password: str) -> str:
        """Return what is stored of a password. Raises: Overloaded."""
        with self._turn():
            return self._hasher.hash(password)

    def verify(self, stored: str, password: str) -> bool:
        """Tell whether this is the password. Raises: Overloaded."""
        with self._turn():
            # Without a password to compare with, the same work is done: time must not tell which names exist.
            known = stored or self._hash_of_nobody()
            try:
                return self._hasher.verify(known, password) and bool(stored)
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, stored: str) -> bool:
        """Tell whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(stored)

    def _hash_of_nobody(self) -> str:
        if self._nobody is None:
            self._nobody = self._hasher.hash("")
        return self._nobody

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._present.acquire(blocking=False):
            raise Overloaded("too many passwords are being checked")
        try:
            if not self._running.acquire(timeout=self._limits.wait_s):
                raise Overloaded("too many passwords are being checked")
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._present.release()
