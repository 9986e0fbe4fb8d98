"""What a trial may use. Apart from the sandbox, so that reading settings imports little."""

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class SandboxLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a new version may use while it is tried, before the serving process sees it."""

    memory_bytes_max: Positive = 4_000_000_000
    """Memory beyond what the engine itself needs; a package may ask for less in its own limits, never for more."""

    cpu_s_max: Positive = 60
    """Processor time for loading the model, warming it up and answering its golden inputs."""

    wall_s_max: Positive = 180
    """The same in elapsed time, the start of the process included."""

    files_max: Positive = 256
    """Open files."""

    niceness_min: Annotated[int, msgspec.Meta(ge=0, le=19)] = 10
    """How far it steps back at least behind other programs, those that serve among them; 19 is furthest."""
