"""Settings of the interactive shell. They are this machine's own word: no hub can change them."""

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class ShellLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this machine lets a person have a shell over the hub, and how far it goes."""

    enabled: bool = False
    """Let one be opened. An envelope must name a shell too; neither is enough alone."""

    minutes_max: Annotated[int, msgspec.Meta(ge=1, le=60)] = 15
    """Longest session; one that asks for more ends here all the same."""

    idle_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 300.0
    """A session in which nothing is typed for so long is ended."""

    link_lost_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    """A session whose hub is not heard for so long is ended."""

    recording_bytes_max: Annotated[int, msgspec.Meta(ge=1000, le=7_000_000)] = 4_000_000
    """Size of the recording of one session; a session that fills it is ended."""

    recordings_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    """Recordings that are kept here; the oldest goes."""

    memory_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 1_000_000_000
    """Memory that each program of a session may have; 0: no limit."""

    files_max: Positive = 256
    """Files that each program of a session may hold open."""

    processes_max: Positive = 1024
    """Processes and threads of the agent's user, all together, at which a session can start no more."""
