"""What a connection needs of the application behind it, and what it keeps of each request that it gave to it."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from ganglion.entrypoints.inference_api.messages import Request, Response
from ganglion.node.services.serving.lane import Ticket

Reply: TypeAlias = Callable[[Response], None]


class Application(Protocol):
    """What answers requests."""

    def answer(self, request: Request, reply: Reply) -> Ticket | None:
        """Call `reply` once, on the loop, now or later. The ticket takes a request back that waits."""
        ...


class Slot(msgspec.Struct, gc=False, eq=False):
    """The place of one answer in the order of answers."""

    is_last: bool
    without_body: bool
    body_bytes: int = 0
    """What the budget gets back when the request is answered or taken back."""
    response: Response | None = None
    ticket: Ticket | None = None
