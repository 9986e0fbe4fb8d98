"""A child knows that its supervisor is gone when the pipe on its standard input ends."""

import asyncio
import os
import sys

_CHUNK_BYTES = 1024


async def wait_for_end_of_parent() -> None:
    """Return when standard input has ended. Needs no thread, so that nothing holds the process back."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def read() -> None:
        if not os.read(descriptor, _CHUNK_BYTES):
            loop.remove_reader(descriptor)
            ended.set()

    descriptor = sys.stdin.fileno()
    loop.add_reader(descriptor, read)
    await ended.wait()
