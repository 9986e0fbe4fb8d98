"""What people read of reference files; see `wire.resources`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileView:
    """A reference file as it was declared, or as one node should have it."""

    scope: str
    """fleet, group, site or node."""
    target: str
    """Name of the group, site or node; empty for the fleet."""
    name: str
    sha256: str
    size_bytes: int
    put_by: str = ""
    state: str = ""
    """Of one node: applied, waiting, or failed and why."""
