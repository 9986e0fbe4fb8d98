"""How long a model may be served without a word from the hub, where its model's role has signed a term."""

from collections.abc import Mapping

from ganglion.node.domain.reconcile import ModelState


def silence_s(*, now_s: float, heard_at_s: float, running_s: float) -> float:
    """Return for how long the hub was not heard of.

    `now_s` and `heard_at_s` are wall-clock times; `running_s` is monotonic, of all processes since it was heard of. A
    clock that was set back hides the time in which the machine was off, and nothing of the time in which it ran.
    """
    return max(now_s - heard_at_s, running_s)


def withheld(models: Mapping[str, ModelState], silent_s: float) -> dict[str, str]:
    """Return the models whose term is over, and that in words."""
    return {
        name: f"no word of the hub for {silent_s:,.0f} s, and {name} may be served for {term_s:,} s without one"
        for name, model in models.items()
        if model.committed is not None and 0 < (term_s := model.committed.offline_s_max) < silent_s
    }


def needs_contact(models: Mapping[str, ModelState]) -> bool:
    """Say whether any model's term depends on when the hub was last heard of."""
    return any(model.committed is not None and model.committed.offline_s_max > 0 for model in models.values())
