"""What hub and node say to each other about an interactive session. The node asks, always: nothing reaches it unasked.

Output is one run of bytes, told by offsets; input is numbered. So whatever a cut line repeats is told apart.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from ganglion.wire.schema import SCHEMA

PIECE_BYTES_MAX: Final = 32_768
"""Bytes of output, or of input, in one message."""
PERSON_SILENT_S: Final = 40.0
"""A person whose program was not heard of for so long has left."""

WHY_CLOSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "refused": "the node refused it",
        "not_started": "the shell could not be started",
        "nobody_came": "nobody came within a minute",
        "exited": "the shell ended",
        "left": "the person left",
        "time_up": "its time was over",
        "idle": "nothing was typed for too long",
        "recording_full": "the recording was full",
        "not_recorded": "it could not be recorded",
        "link_lost": "the line between node and hub was lost",
        "forgotten": "the hub did not know it any more",
        "withdrawn": "the envelope allows it no more",
        "closed_here": "somebody on the machine closed it",
        "agent_ended": "the agent ended",
        "interrupted": "the agent was cut off",
    }
)
"""Why a session was closed, as a node says it, and in words."""


class ShellOutput(msgspec.Struct, frozen=True):
    """What the session showed from `offset` on."""

    offset: int
    data: bytes = b""
    closed_by: str = ""
    """Why the session is over; empty while it is not. See `node.domain.shell_session`."""
    recording_sha256: str = ""
    """Of the recording, when the session is over."""
    schema: int = SCHEMA


class ShellRoom(msgspec.Struct, frozen=True):
    """How far the hub has the output; what it had no room for is to be sent again."""

    received: int


class ShellTyped(msgspec.Struct, frozen=True):
    """Something that the person did: typed, or changed the size of the terminal."""

    number: int
    """From 1 on, without a gap."""
    data: bytes = b""
    columns: int = 0
    rows: int = 0


class ShellInput(msgspec.Struct, frozen=True):
    """What the person did since the number that the node named."""

    typed: tuple[ShellTyped, ...] = ()
    has_left: bool = False
    """The person will not come back: end the session."""


class ShellRecording(msgspec.Struct, frozen=True):
    """A session that is over, with everything that was shown and typed."""

    closed_by: str
    seconds: float
    recording: bytes
    """The whole file (`core.asciicast`)."""
    schema: int = SCHEMA
