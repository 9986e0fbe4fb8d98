"""How much of reference files a machine keeps, and how it tries. Apart, so that settings import no service."""

from typing import Annotated

import msgspec

Bytes = Annotated[int, msgspec.Meta(ge=0)]


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the node keeps of reference files. A list that goes beyond it is refused as a whole."""

    file_bytes_max: Bytes = 200_000_000
    """Size of one file."""
    total_bytes_max: Bytes = 1_000_000_000
    """Size of all files together."""
    files_max: Annotated[int, msgspec.Meta(ge=0)] = 100
    """How many files there may be."""
    disk_free_bytes_min: Bytes = 200_000_000
    """No file is brought that would leave the disk less free space than this."""
    retry_s: Annotated[float, msgspec.Meta(ge=1)] = 30.0
    """Pause before what could not be had is tried again."""
