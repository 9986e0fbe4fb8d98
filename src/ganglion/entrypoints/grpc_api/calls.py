"""What the gRPC transport and the services behind it know of each other.

A method is given whole messages (bytes, already out of their frames) and a `Call` to answer on. Everything runs on the
event loop; nothing here blocks or awaits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeAlias


class Status(IntEnum):
    """The status codes of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Call(Protocol):
    """One call of a client. After `finish`, or after `on_end` was called, everything but reading is without effect."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Header fields of the client, lower-case names."""
        ...

    @property
    def deadline_s(self) -> float:
        """When the client gives up, by the loop's clock; infinity when it named no time."""
        ...

    @property
    def is_local(self) -> bool:
        """The client is on this machine, and trusted as such."""
        ...

    @property
    def certificate(self) -> str:
        """SHA-256 of the certificate that the client has proved to own; empty: none."""
        ...

    @property
    def is_over(self) -> bool:
        """Nobody listens any more: finished, cancelled, or out of time."""
        ...

    def on_end(self, act: Callable[[], None]) -> None:
        """Call `act` if the call ends before `finish`: reset, connection lost, deadline passed."""
        ...

    def send(self, message: bytes) -> None:
        """Send one message of the answer. Of a unary call the transport writes it together with what `finish` adds."""
        ...

    def finish(self, status: Status = Status.OK, text: str = "") -> None:
        """End the call."""
        ...


class Stream(Protocol):
    """The service's side of a call whose client sends any number of messages."""

    def receive(self, message: bytes) -> None:
        """Take the next message."""
        ...

    def end(self) -> None:
        """Hear that the client has sent everything."""
        ...


Unary: TypeAlias = Callable[[bytes, Call], None]


@dataclass(frozen=True, slots=True)
class UnaryMethod:
    """One message in; the answer is one message, or many if the service sends many (server streaming)."""

    answer: Unary


@dataclass(frozen=True, slots=True)
class StreamMethod:
    """Any number of messages in, any number out."""

    open: Callable[[Call], Stream]


Methods: TypeAlias = Mapping[str, UnaryMethod | StreamMethod]
"""By path, such as "/inference.GRPCInferenceService/ModelInfer". A method may raise `GanglionError` before it answers:
the transport ends the call with the status that belongs to it."""
