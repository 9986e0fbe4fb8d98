"""`demo-report.html`: one self-contained page that shows what happened, second by second."""

from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import jinja2

from ganglion.entrypoints.demo import plots
from ganglion.entrypoints.demo.lessons import BAD_VERSION
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.plots import Band, Series, Strip
from ganglion.entrypoints.demo.scoreboard import Scoreboard
from ganglion.entrypoints.fleet.experiment_words import arm_lines
from ganglion.testing.traffic import Exchange

_COLOURS = {"1": "old", BAD_VERSION: "bad", "2": "good", "": "failed"}
_LABELS = {"1": "release 1", BAD_VERSION: "the bad version", "2": "release 2", "": "no answer"}
_LATENCY_SHARES = (("p50", 0.5, "old"), ("p99", 0.99, "bad"))


def write_report(play: Play, file: Path) -> None:
    """Write the report."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("ganglion.entrypoints.demo", "."), autoescape=True, trim_blocks=True
    )
    page = templates.get_template("report.html.j2").render(
        release=version("ganglion"),
        board=play.board,
        nodes=list(play.world.clients),
        pictures=_pictures(play.board),
        duration_s=_end_s(play.board),
        arms=[line for arm in (play.board.experiment.arms if play.board.experiment else ()) for line in arm_lines(arm)],
        faults=[(fault, play.board.during(fault)) for fault in play.board.faults],
    )
    file.write_text(page, encoding="utf-8")


def _pictures(board: Scoreboard) -> list[tuple[str, str, str]]:
    """Return (title, what to see, SVG) of each picture."""
    end_s, bands = _end_s(board), _bands(board)
    everything = [exchange for exchanges in board.exchanges.values() for exchange in exchanges]
    return [
        (
            "Which version answered, node by node",
            (
                "Each strip is one second of one client. Blue is release 1, red the bad version, green release 2;"
                " black, or white on a dark page, is a second with a failed request."
            ),
            plots.lanes("Versions over time", _strips(board), bands, end_s=end_s),
        ),
        (
            "Requests per second, all clients together",
            (
                "The cable between nodes and hub is out in all of the first shaded time, and the answers do not notice."
                " What fails are requests to one node while its serving process starts again."
            ),
            plots.lines("Requests per second", _rates(board, everything), bands, end_s=end_s),
        ),
        (
            "Latency at the client, milliseconds",
            (
                "Per second, over all clients, measured around the whole HTTP request. In chapters 6 and 7 this machine"
                " also trains, and that shows."
            ),
            plots.lines("Latency", _latencies(board, everything), bands, end_s=end_s),
        ),
        (
            "Accuracy on held-out images",
            "Both releases on the same images, which neither has seen. Release 2 learnt from what the nodes kept.",
            plots.bars("Accuracy", [(f"release {name}", share) for name, share in board.accuracy.items()]),
        ),
    ]


def _strips(board: Scoreboard) -> list[Strip]:
    strips = []
    for name, exchanges in board.exchanges.items():
        for second, group in _by_second(board, exchanges).items():
            failed = any(not exchange.is_answered for exchange in group)
            shown = "" if failed else group[-1].version
            strips.append(Strip(name, second, second + 1, _COLOURS.get(shown, "old"), _LABELS.get(shown, shown)))
    return strips


def _rates(board: Scoreboard, everything: list[Exchange]) -> list[Series]:
    seconds = _by_second(board, everything)
    answered = [(second, float(sum(e.is_answered for e in group))) for second, group in seconds.items()]
    failed = [(second, float(sum(not e.is_answered for e in group))) for second, group in seconds.items()]
    # The last second is cut short by the end of the demo.
    return [Series("answered", "good", answered[:-1]), Series("failed", "bad", failed[:-1])]


def _latencies(board: Scoreboard, everything: list[Exchange]) -> list[Series]:
    seconds = _by_second(board, [exchange for exchange in everything if exchange.is_answered])
    series = []
    for name, share, colour in _LATENCY_SHARES:
        points = []
        for second, group in seconds.items():
            ordered = sorted(exchange.latency_ms for exchange in group)
            points.append((float(second), ordered[min(len(ordered) - 1, int(share * len(ordered)))]))
        series.append(Series(name, colour, points))
    return series


def _by_second(board: Scoreboard, exchanges: list[Exchange]) -> dict[int, list[Exchange]]:
    groups: dict[int, list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        groups[int(exchange.at_s - board.began_s)].append(exchange)
    return dict(sorted(groups.items()))


def _bands(board: Scoreboard) -> list[Band]:
    return [Band(fault.name, fault.from_s - board.began_s, fault.until_s - board.began_s) for fault in board.faults]


def _end_s(board: Scoreboard) -> float:
    return board.chapters[-1].ended_s - board.began_s
