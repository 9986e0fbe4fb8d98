"""The report of a simulated fleet: one page that needs nothing but itself."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ganglion.core.errors import DiskUnusable
from ganglion.entrypoints.simulate import plots
from ganglion.entrypoints.simulate.plots import Curve, Span
from ganglion.entrypoints.simulate.text import answers, figures
from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Scenario, span_h

_COLOURS = ("v1", "v2", "v3", "v4", "v5", "v6")
_LINES_MAX = 400
_STYLE = """
:root { color-scheme: light dark; --page:#f5f6f8; --card:#fff; --ink:#1b2430; --soft:#5b6776; --line:#cfd6de;
  --v1:#9db8d9; --v2:#3b76c4; --v3:#25935f; --v4:#d98f1f; --v5:#8656b5; --v6:#5b6776; --none:#b9c0c9; --bad:#c8453b;
  --band:#8a93a033; }
@media (prefers-color-scheme: dark) { :root { --page:#12161c; --card:#1b212a; --ink:#e6ebf2; --soft:#a3afbe;
  --line:#39424f; --v1:#4d6b91; --v2:#6ea3ea; --v3:#4dc48d; --v4:#e0a94a; --v5:#b58ae0; --v6:#a3afbe; --none:#4b5563;
  --bad:#ee7468; --band:#a3afbe30; } }
body { margin:0; background:var(--page); color:var(--ink); font:15px/1.5 system-ui, sans-serif; }
main { max-width:1020px; margin:0 auto; padding:28px 16px 60px; }
h1 { font-size:26px; margin:0 0 4px; } h2 { font-size:18px; margin:0 0 8px; } .soft { color:var(--soft); }
section { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:18px 20px; margin:16px 0; }
.verdict { display:inline-block; padding:4px 12px; border-radius:999px; color:#fff; font-weight:600; }
.held { background:#1f7a4d; } .broken { background:#b93a31; }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; font-size:14px; }
th, td { text-align:left; vertical-align:top; padding:5px 12px 5px 0; border-bottom:1px solid var(--line); }
tr:last-child td { border-bottom:0; } th { color:var(--soft); font-weight:600; } .number { text-align:right; }
.scroll { overflow-x:auto; } svg { width:100%; min-width:640px; height:auto; display:block; }
svg text { font:12px system-ui, sans-serif; fill:var(--soft); } .legend { margin:4px 0 0; }
.legend span { margin-right:16px; color:var(--soft); } .legend i { display:inline-block; width:12px; height:12px;
  border-radius:3px; margin-right:6px; vertical-align:-1px; }
pre { font:12px/1.5 ui-monospace, monospace; white-space:pre-wrap; overflow-wrap:anywhere; margin:8px 0 0; }
li { margin-bottom:4px; }
"""


def write_report(outcome: Outcome, scenario: Scenario, file: Path) -> None:
    """Write the page. Raises: DiskUnusable."""
    try:
        file.write_text(page(outcome, scenario), encoding="utf-8")
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be written: {error.strerror or error}") from error


def page(outcome: Outcome, scenario: Scenario) -> str:
    """Return the page."""
    broken = len(outcome.broken)
    verdict = f"{broken} breaches of the laws" if broken else f"all {len(outcome.verdicts)} laws held"
    body = [
        f"<h1>{escape(outcome.title)}</h1>",
        (
            f'<p class="soft">{outcome.nodes:,} nodes and their hub for {outcome.hours:g} hours, simulated from seed'
            f" {outcome.seed}, with {outcome.figures.faults:,} faults. The decisions are those of the shipped code.</p>"
        ),
        f'<p><span class="verdict {"broken" if broken else "held"}">{escape(verdict)}</span></p>',
        _section("Answers", f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in answers(outcome, scenario))}</ul>"),
        *_pictures(outcome, scenario),
        _section("Figures", _table([], list(figures(outcome.figures)))),
        _section("Laws", _laws(outcome)),
        _section("Timeline", f"<pre>{escape(chr(10).join(_timeline(outcome)))}</pre>"),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(outcome.title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _pictures(outcome: Outcome, scenario: Scenario) -> list[str]:
    end_h = outcome.hours + scenario.settle_h
    spans = [Span("no link", *span_h(text)) for text in scenario.link.offline]
    machines = max(sum(sample.versions.values()) for sample in outcome.samples)
    online = [(sample.at_h, float(sample.online)) for sample in outcome.samples]
    total = [(sample.at_h, sample.waiting_bytes / 1e9) for sample in outcome.samples]
    worst = [(sample.at_h, sample.worst_outbox_bytes / 1e9) for sample in outcome.samples]
    cap_gb = scenario.limits().total_bytes_max / 1e9
    cap = Curve("its limit", "bad", [(0.0, cap_gb), (end_h, cap_gb)])
    pictures = [
        (
            "Which version the machines serve",
            plots.stack("Versions", _versions(outcome), spans, end_h=end_h, y_max=float(machines)),
        ),
        (
            "Machines that reach the hub",
            plots.lines("Links", [Curve("machines", "v2", online)], spans, end_h=end_h, y_max=float(machines)),
        ),
        (
            "The fullest outbox, in GB",
            plots.lines("Fullest outbox", [Curve("the fullest outbox", "v4", worst), cap], spans, end_h=end_h),
        ),
        ("All outboxes together, in GB", plots.lines("Outboxes", [Curve("waiting", "v2", total)], spans, end_h=end_h)),
    ]
    shaded = '<p class="soft">Shaded: times without a link.</p>' if spans else ""
    return [_section(title, f'<div class="scroll">{picture}</div>{shaded}') for title, picture in pictures]


def _versions(outcome: Outcome) -> list[Curve]:
    names = sorted({name for sample in outcome.samples for name in sample.versions}, key=lambda name: (len(name), name))
    return [
        Curve(
            f"version {name}" if name else "none",
            _COLOURS[index % len(_COLOURS)] if name else "none",
            [(sample.at_h, float(sample.versions.get(name, 0))) for sample in outcome.samples],
        )
        for index, name in enumerate(names)
    ]


def _laws(outcome: Outcome) -> str:
    rows = [
        (f"{verdict.law}", "BROKEN" if verdict.broken else "held", f"{verdict.looks:,}", verdict.sentence)
        for verdict in outcome.verdicts
    ]
    breaches = "".join(f"<li>{escape(words)}</li>" for words in outcome.broken)
    return _table(["law", "", "looks", ""], rows) + (f"<ul>{breaches}</ul>" if breaches else "")


def _timeline(outcome: Outcome) -> list[str]:
    left_out = len(outcome.timeline) + outcome.timeline_left_out - _LINES_MAX
    return [*outcome.timeline[:_LINES_MAX], *([f"… and {left_out:,} lines more"] if left_out > 0 else [])]


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{top}{body}</table></div>'
