"""Law 6: silence is neither success nor failure."""

import math
from typing import ClassVar

from ganglion.testing.laws.law import Law


class SilenceIsNothing(Law):
    """Compares what the hub counts with what nodes really told it."""

    number: ClassVar[int] = 6
    sentence: ClassVar[str] = "A silent node is never counted as a success or a failure."

    def left(self, at_s: float, rollout_id: str, *, told: int, nodes: int, share: float) -> None:
        """The gate let a stage go on, in which so many nodes had told of a commit that had happened."""
        self.looks += 1
        needed = max(1, math.ceil(share * nodes - 1e-9))
        if told < needed:
            self.broke(
                at_s, f"rollout {rollout_id[:8]} went on with {told} of {nodes} nodes heard of, {needed} are needed"
            )
