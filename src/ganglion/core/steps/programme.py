"""Steps made ready to run: what can be computed once per model is computed, and errors get the step's name."""

from collections.abc import Sequence

import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps.step import Context, StepBase
from ganglion.core.steps.tensors import Tensor, Tensors


class Programme:
    """The steps before a model, or those after it. Safe to run from several threads."""

    def __init__(self, steps: Sequence[StepBase]) -> None:
        self._actions = tuple((step.kind, step.tensor, step.bind()) for step in steps)

    def __bool__(self) -> bool:
        return bool(self._actions)

    def run(self, tensors: Tensors, context: Context) -> dict[str, Tensor]:
        """Return the tensors after the last step; those that came in stay as they were.

        Raises: InvalidRequest: a step does not fit what the tensors hold.
        """
        current = dict(tensors)
        # What is out of range becomes infinite or no number, and is judged where that matters.
        with np.errstate(all="ignore"):
            for kind, tensor, action in self._actions:
                if tensor not in current:
                    raise InvalidRequest(f"step {kind}: there is no tensor {tensor!r}")
                try:
                    action(current, context)
                except InvalidRequest as error:
                    raise InvalidRequest(f"step {kind} on {tensor!r}: {error.message}") from error
                except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
                    raise InvalidRequest(f"step {kind} on {tensor!r}: {error}") from error
        return current
