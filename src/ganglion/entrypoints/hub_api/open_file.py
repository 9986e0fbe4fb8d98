"""A file opened without blocking the event loop, and closed even when the request is cut off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio


@asynccontextmanager
async def open_file(path: Path, mode: Literal["rb", "xb"]) -> AsyncIterator[anyio.AsyncFile[bytes]]:
    """Open a file of bytes. Closing is shielded: a cancelled close would leave the descriptor to the collector."""
    file = await anyio.open_file(path, mode)
    try:
        yield file
    finally:
        with anyio.CancelScope(shield=True):
            await file.aclose()
