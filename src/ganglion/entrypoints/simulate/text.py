"""What a run of the simulated world says to a person who plans a fleet."""

from collections.abc import Iterator

from ganglion.testing.world.outcome import Figures, Outcome, Reach, Verdict
from ganglion.testing.world.scenario import Scenario

_LINES_MAX = 60
_WIDTH = 150
_FULL = 0.99
"""An outbox holds whole records: a full one lacks a little."""


def text(outcome: Outcome, scenario: Scenario) -> str:
    """Return timeline, answers, figures and verdicts."""
    parts = [
        f"{outcome.title}: {outcome.nodes:,} nodes, {outcome.hours:g} h, seed {outcome.seed}",
        "",
        "Timeline",
        *_timeline(outcome),
        "",
        "Answers",
        *(f"  {line}" for line in answers(outcome, scenario)),
        "",
        "Figures",
        *(f"  {name:26}{value}" for name, value in figures(outcome.figures)),
        "",
        "Laws",
        *(
            f"  {verdict.law}  {_word(verdict)}  {verdict.looks:>12,} looks  {verdict.sentence}"
            for verdict in outcome.verdicts
        ),
        *(f"     {words}" for words in outcome.broken),
        "",
    ]
    return "\n".join(parts)


def answers(outcome: Outcome, scenario: Scenario) -> Iterator[str]:
    """Yield what a planner wants to know, in sentences."""
    yield from (_reached(release, outcome.nodes) for release in outcome.releases)
    figures_ = outcome.figures
    cap = scenario.limits().total_bytes_max
    share = figures_.outbox_peak_bytes / cap
    yield f"The fullest outbox held {size(figures_.outbox_peak_bytes)}, {share:.0%} of its {size(cap)}."
    if figures_.first_shed_h is None:
        yield "Nothing was given up: the outboxes were large enough."
    else:
        given_up = ", ".join(_given_up(name, count, figures_.made[name]) for name, count in figures_.shed.items())
        what = "outbox" if figures_.outbox_peak_bytes >= _FULL * cap else "disk"
        yield f"The first {what} was full after {figures_.first_shed_h:.1f} h; given up: {given_up}."
    yield (
        f"The oldest record was {figures_.worst_age_h:.1f} h old when the hub stored it; "
        f"{figures_.waiting:,} records wait at the end."
    )
    hours = outcome.hours + scenario.settle_h
    per_day = figures_.up_bytes / max(1, outcome.nodes) / hours * 24.0
    brought = size(figures_.down_bytes)
    yield f"A node sends {size(per_day)} a day on average, and all of them received {brought} of packages."


def figures(counted: Figures) -> Iterator[tuple[str, str]]:
    """Yield names and values for a table."""
    yield "updates committed", f"{counted.updates:,}"
    yield "updates rolled back", f"{counted.reverts:,}"
    yield "records made", _by_class(counted.made)
    yield "records given up", _by_class(counted.shed)
    yield "records stored", f"{counted.stored:,}"
    yield "records waiting", f"{counted.waiting:,}"
    yield "sent to the hub", size(counted.up_bytes)
    yield "packages brought", size(counted.down_bytes)
    yield "worst staleness", f"{counted.worst_age_h:.2f} h"
    yield "power cuts, restarts", f"{counted.power_cuts:,}, {counted.restarts:,}"
    yield "epochs renewed", f"{counted.epochs_renewed:,}"
    yield "hub restored", "once" if counted.hub_restorations == 1 else f"{counted.hub_restorations:,} times"
    yield "forgotten with backups", f"{counted.forgotten:,}"
    yield "faults injected", f"{counted.faults:,}"


def size(number: float) -> str:
    """Return bytes in words."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number:.0f} bytes"


def _timeline(outcome: Outcome) -> Iterator[str]:
    lines = outcome.timeline
    left_out = len(lines) + outcome.timeline_left_out - _LINES_MAX
    for number, line in enumerate(lines):
        if left_out > 0 and number == _LINES_MAX // 2:
            yield f"    …        {left_out:,} lines more: -o json has them"
        if left_out <= 0 or number < _LINES_MAX // 2 or number >= len(lines) - _LINES_MAX // 2:
            yield f"{line[:_WIDTH]}…" if len(line) > _WIDTH else line


def _reached(release: Reach, nodes: int) -> str:
    name = f"Version {release.version} ({release.behaves.replace('_', ' ')}), planned for {release.at_h:g} h,"
    if release.first_h is None:
        return f"{name} was kept by no node."
    if release.all_h is not None:
        return (
            f"{name} was on every node after {release.all_h:.1f} h, on nine of ten after {release.most_h or 0:.1f} h."
        )
    most = f", nine of ten of them after {release.most_h:.1f} h" if release.most_h is not None else ""
    return f"{name} came to {release.machines:,} of {nodes:,} nodes{most}."


def _word(verdict: Verdict) -> str:
    if verdict.broken:
        return "BROKEN"
    return "held  " if verdict.looks else "unseen"


def _given_up(name: str, count: int, made: int) -> str:
    return f"{count:,} of {made:,} {name} records ({count / max(1, made):.1%})"


def _by_class(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} of class {name}" for name, count in counts.items()) or "none"
