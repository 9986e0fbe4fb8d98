"""The targets by name, and how a long campaign divides its cases among them."""

from collections.abc import Callable
from typing import NamedTuple

from fuzz.campaign import Target
from fuzz.grpc_target import GrpcTarget
from fuzz.http_target import BinaryTarget, HttpTarget, MemoryTarget
from fuzz.identity_target import IdentityTarget
from fuzz.readers import ReadersTarget
from fuzz.socket_target import SocketTarget


class Share(NamedTuple):
    """A target, and how many of a hundred cases it gets."""

    make: Callable[[], Target]
    percent: int


TARGETS = {
    "http": Share(HttpTarget, 30),
    "binary": Share(BinaryTarget, 20),
    "grpc": Share(GrpcTarget, 20),
    "memory": Share(MemoryTarget, 10),
    "readers": Share(ReadersTarget, 13),
    "identity": Share(IdentityTarget, 5),
    "sockets": Share(SocketTarget, 2),
}
