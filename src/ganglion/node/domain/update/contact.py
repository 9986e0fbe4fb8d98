"""How long a model may be served without a word from the hub, where its model's role has signed a term."""

from collections.abc import Mapping

from ganglion.node.domain.update.reconcile import ModelState


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


def trial_over(model: ModelState, silent_s: float) -> str:
    """Return why a version on trial must not answer until the hub is heard of again; empty when it may."""
    term_s = model.update.offline_s_max if model.update else 0
    if not 0 < term_s < silent_s:
        return ""
    return f"no word of the hub for {silent_s:,.0f} s, and it may be served for {term_s:,} s without one"


def needs_contact(models: Mapping[str, ModelState]) -> bool:
    """Say whether any model's term depends on when the hub was last heard of."""
    return any(_term_s(model) > 0 for model in models.values())


def _term_s(model: ModelState) -> int:
    """Return the longest term of what may answer for a model: other trials end soon, one that is held does not."""
    held = model.update.offline_s_max if model.update and model.update.is_held else 0
    return max(held, model.committed.offline_s_max if model.committed else 0)
