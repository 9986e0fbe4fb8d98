"""Writes the texts and the picture of docs/howto/plan-a-fleet.md from the scenario on that page."""

import re
import sys
import tomllib
from pathlib import Path

from ganglion.entrypoints.simulate import plots
from ganglion.entrypoints.simulate.plots import Curve, Span
from ganglion.entrypoints.simulate.text import answers
from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Scenario, read_scenario, span_h
from ganglion.testing.world.world import simulate

PAGE = Path(__file__).parent.parent / "docs/howto/plan-a-fleet.md"
PICTURE = PAGE.with_suffix(".svg")
_COLOURS = {"v4": "#b87511", "bad": "#c8453b", "line": "#8a93a0", "band": "#8a93a033"}


def scenario_on(page: str) -> Scenario:
    """Return the scenario that the page shows."""
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None, "the page shows a scenario"
    return read_scenario(tomllib.loads(found[1]))


def said(outcome: Outcome, scenario: Scenario) -> str:
    """Return the answers as the page shows them."""
    return "\n".join(answers(outcome, scenario))


def picture(outcome: Outcome, scenario: Scenario) -> str:
    """Return the picture of the fullest outbox, with its colours in it."""
    cap_gb = scenario.limits().total_bytes_max / 1e9
    end_h = outcome.hours + scenario.settle_h
    worst = [(round(sample.at_h, 3), sample.worst_outbox_bytes / 1e9) for sample in outcome.samples]
    curves = [Curve("the fullest outbox", "v4", worst), Curve("its limit", "bad", [(0.0, cap_gb), (end_h, cap_gb)])]
    spans = [Span("no link", *span_h(text)) for text in scenario.link.offline]
    drawn = plots.lines("The fullest outbox, in GB", curves, spans, end_h=end_h).partition("<p")[0]
    for name, colour in _COLOURS.items():
        drawn = drawn.replace(f"var(--{name})", colour)
    style = "<style>text{font:12px sans-serif;fill:#6b7480}</style>"
    return (
        drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ').replace("<title>", style + "<title>") + "\n"
    )


def main() -> None:
    """Write the picture, and print the answers for the page."""
    scenario = scenario_on(PAGE.read_text(encoding="utf-8"))
    outcome = simulate(scenario, seed=1)
    PICTURE.write_text(picture(outcome, scenario), encoding="utf-8")
    sys.stdout.write(said(outcome, scenario) + "\n")


if __name__ == "__main__":
    main()
