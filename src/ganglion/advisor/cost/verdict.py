"""What a cost case comes to: its status, its winner, and the answer in words."""

from collections.abc import Mapping

from ganglion.advisor.cost.answer import Completeness
from ganglion.advisor.figures import Figure, Question, State


def status_of(figures: Mapping[str, Figure], edge: Completeness) -> str:
    """Return computed, incomplete or not_computable."""
    if figures["payback_days"].state is State.NOT_COMPUTABLE and "tco_saving" not in figures:
        return "not_computable"
    return "computed" if edge.complete else "incomplete"


def winner_of(figures: Mapping[str, Figure]) -> str:
    """Return edge, cloud, equal or unknown: over the horizon if there is one, else by the month."""
    decisive = figures.get("tco_saving") or figures.get("saving_month")
    if decisive is None or decisive.value is None:
        return "unknown"
    if not decisive.value:
        return "equal"
    return "edge" if decisive.value > 0 else "cloud"


def answer_of(
    figures: Mapping[str, Figure], status: str, winner: str, edge: Completeness, questions: tuple[Question, ...]
) -> str:
    """Return the answer in words."""
    payback = figures["payback_days"]
    if status == "not_computable":
        asked = [each.fact for each in questions if "payback_days" in each.blocks]
        verb = "is" if len(asked) == 1 else "are"
        return f"Not computable: {', '.join(asked)} {verb} missing." if asked else f"Not computable: {payback.note}."
    if payback.state is State.NEVER:
        parts = [f"The edge never pays back: {payback.note}."]
    elif payback.value is not None:
        day = figures["payback_first_whole_day"].value or 0
        parts = [f"The edge pays back after {payback.value:,.2f} days, so on day {day:,.0f}{_range_of(payback)}."]
    else:
        parts = []
    saving = figures.get("tco_saving")
    if saving is not None and saving.value is not None:
        words = {
            "edge": "the edge is cheaper by",
            "cloud": "the cloud is cheaper by",
            "equal": "both cost the same, within",
        }
        parts.append(f"Over {figures['horizon'].text} {words[winner]} {abs(saving.value):,.0f} {saving.unit}.")
    if not edge.complete:
        left_out = ", ".join(each.replace("_", " ") for each in edge.missing)
        parts.append(f"The edge's plan is incomplete: it leaves out {left_out}.")
    return " ".join(parts)


def _range_of(payback: Figure) -> str:
    if payback.low is None:
        return ""
    last = "never" if payback.high is None else f"{payback.high:,.2f} days"
    return f"; over the ranges of the inputs it is {payback.low:,.2f} days to {last}"
