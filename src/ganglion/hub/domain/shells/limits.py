"""What the hub holds of interactive sessions. Apart, so that settings import no service."""

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class ShellRelayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions between people and nodes. Whoever is ahead waits for the other side."""

    sessions_max: Positive = 16
    """Sessions at the same time; a further one is refused."""

    output_bytes_max: Annotated[int, msgspec.Meta(ge=65_536)] = 262_144
    """What a session has shown and nobody has read yet; when it is full, the node waits."""

    input_bytes_max: Annotated[int, msgspec.Meta(ge=65_536)] = 65_536
    """What a person typed and the node has not taken yet; when it is full, the person waits."""

    recording_bytes_max: Positive = 8_000_000
    """Largest recording that is kept."""

    recordings_max: Positive = 500
    """Sessions that are remembered, with their recordings; the oldest goes."""
