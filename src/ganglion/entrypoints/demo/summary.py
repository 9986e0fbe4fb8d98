"""The last chapter: every answer of the demo is checked once more, and the figures are added up."""

from ganglion.entrypoints.demo.chapters import ledger_told
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.fleet.words import figure_lines
from ganglion.testing.processes import clock_s
from ganglion.testing.traffic import request_bytes


def sum_up(play: Play) -> None:
    """Check every answer of the whole demo once more, and add up the figures of the summary."""
    play.note_exchanges()
    # The last records of a moment ago are on their way; those of before it must be there.
    until_s = clock_s()
    total = play.check_ledgers(until_s)
    views = list(play.world.views().values())
    shed = sum(sum(view.shed.values()) for view in views)
    play.promise(
        "over the whole demo every answer is stored exactly once, and nothing was shed",
        held=total.holds and shed == 0,
        figures=f"{ledger_told(total)}, {shed} shed",
    )
    _note_fleet_figures(play)
    everything = [exchange for exchanges in play.board.exchanges.values() for exchange in exchanges]
    answered = [exchange for exchange in everything if exchange.is_answered]
    latencies = sorted(exchange.latency_ms for exchange in answered)
    figures = play.board.figures
    figures["requests"] = f"{len(answered)} answered, {len(everything) - len(answered)} failed"
    figures["latency at the client"] = (
        f"p50 {_share_of(latencies, 0.5):.2f} ms, p99 {_share_of(latencies, 0.99):.2f} ms"
    )
    figures["records"] = f"{sum(v.made for v in views)} made, {sum(v.stored for v in views)} stored"
    figures["lost, duplicated"] = f"{total.lost}, {total.duplicated}"
    raw = sum(request_bytes(exchange.row) for exchange in answered)
    sent = play.world.cable.up_bytes
    figures["bytes"] = f"{raw:,} as raw inputs, {sent:,} sent by the nodes ({sent / raw:.0%})"
    figures["held-out accuracy"] = ", ".join(f"release {k}: {v:.1%}" for k, v in play.board.accuracy.items())
    for fault in play.board.faults:
        counted = play.board.during(fault)
        figures[f"during: {fault.name}"] = f"{counted.answered} answered, {counted.failed} failed"


def _note_fleet_figures(play: Play) -> None:
    """Compare what the hub counts of its fleet with the rollouts that were seen here."""
    told = play.world.api.figures(1)
    play.board.fleet_figures = [line for line in figure_lines(told) if line.value != "-"]
    for line in play.board.fleet_figures:
        play.board.figures[f"fleet: {line.figure}"] = f"{line.value} ({line.of})"
    states = [each.view.state for each in play.board.rollouts]
    counted = (told.deployment_time_s.count, told.time_to_detect_s.count, told.failed_update_recovery_s.count)
    seen = (states.count("completed"), states.count("aborted"), states.count("aborted"))
    play.promise(
        "the hub's own figures of its fleet tell of the same rollouts",
        held=counted == seen,
        figures=f"{counted[0]} completed, {counted[1]} aborted, {counted[2]} taken back",
    )


def _share_of(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
