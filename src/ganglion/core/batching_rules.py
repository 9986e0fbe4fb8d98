"""How requests of different clients may be answered by one run of the engine: what a package or a user may ask for."""

from typing import Annotated

import msgspec

ROWS_MAX = 65_536
EVERY_MODEL = "*"
"""In settings: the rules of models that have none of their own."""
_DELAY_US_MAX = 60_000_000
Rows = Annotated[int, msgspec.Meta(ge=1, le=ROWS_MAX)]


class BatchingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Only for a model whose rows do not change each other. The defaults mean: each request alone."""

    max_size: Rows = 1
    """Rows of one run; a single request may have more. 1 switches batching off."""

    max_delay_us: Annotated[int, msgspec.Meta(ge=0, le=_DELAY_US_MAX)] = 0
    """How long a request may wait for others while the engine is free; 0 gathers only what arrives meanwhile."""

    preferred_sizes: Annotated[tuple[Rows, ...], msgspec.Meta(max_length=64)] = ()
    """Rows at which a batch starts at once, whatever its delay; the largest that is reached counts."""

    queue_len_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 256
    """Requests that may wait for their batch; further ones are shed: answered with 503 and Retry-After."""

    def __post_init__(self) -> None:
        if any(size > self.max_size for size in self.preferred_sizes):
            raise ValueError(f"preferred_sizes are {list(self.preferred_sizes)}, max_size is {self.max_size}")

    @property
    def is_on(self) -> bool:
        """Whether requests may share a run at all."""
        return self.max_size > 1
