"""How much of reference files a hub keeps. Apart, so that settings import no service."""

from typing import Annotated

import msgspec

Bytes = Annotated[int, msgspec.Meta(ge=0)]


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of reference files the hub keeps. Nodes have limits of their own."""

    file_bytes_max: Bytes = 200_000_000
    """Size of one file."""
    total_bytes_max: Bytes = 1_000_000_000
    """Size of all files that are declared, for whomever; equal ones count once."""
    files_max: Annotated[int, msgspec.Meta(ge=0)] = 1000
    """How many files may be declared."""
    place_files_max: Annotated[int, msgspec.Meta(ge=0)] = 100
    """How many of them for the fleet, for one group, for one site, for one node."""
