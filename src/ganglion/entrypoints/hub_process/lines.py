"""The hub's side of a connection: what waits in this process for a client that reads slowly has an end.

The event loop's own limits are half a megabyte for each connection, which a fleet behind one narrow line takes all at
once. And an answer counts as sent when its last byte is in a buffer: the larger the buffer, the longer a slow client
still reads after that, and a connection that says nothing new for a while is closed.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

_WAITING_BYTES_MAX = 65_536
"""One piece of a file."""


class HubConnection(H11Protocol):
    """One connection, which asks for the next piece when the one before has left this process."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own narrows
        """Begin."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_WAITING_BYTES_MAX, low=0)
