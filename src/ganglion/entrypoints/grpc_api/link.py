"""What a call needs of its connection."""

import asyncio
from typing import Protocol

from ganglion.entrypoints.grpc_api.frames import ErrorCode
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.outgoing import Outgoing, Sender
from ganglion.entrypoints.inference_api.limits import BodyBudget


class Link(Protocol):
    """See the module docstring."""

    loop: asyncio.AbstractEventLoop
    out: Outgoing
    limits: GrpcLimits
    budget: BodyBudget
    is_local: bool
    certificate: str

    def forget(self, call: Sender) -> None:
        """Hear that the stream has ended on this side."""
        ...

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream at once."""
        ...
