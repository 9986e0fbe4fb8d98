"""How a node is: what its checks found, and what it packs for somebody who looks into it from afar."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class HealthCheck(msgspec.Struct, frozen=True):
    """The outcome of one check."""

    name: str
    verdict: Verdict
    fact: str
    """What was measured, in words."""
    remedy: str = ""
    """What to do; empty when nothing is."""


class HealthReport(msgspec.Struct, frozen=True):
    """Every check of one node at one moment."""

    node: str
    at_s: float
    """The node's own clock."""
    verdict: Verdict
    """The worst of all checks."""
    checks: tuple[HealthCheck, ...]


class SupportDocument(msgspec.Struct, frozen=True):
    """What a support bundle holds: texts by file name. Secrets were taken out where it was made."""

    node: str
    at_s: float
    files: dict[str, str]
