"""`ganglion simulate`: days of a fleet in a minute, from one seed."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli.output import Output, OutputFormat, emit, note

EXIT_BROKEN = 1


def simulate(
    *,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines; 30 where no scenario says it.")] = None,
    hours: Annotated[float | None, typer.Option(min=0.1, help="Time; 72 h where no scenario says it.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run, byte by byte.")] = 1,
    faults: Annotated[
        str, typer.Option(help="none, light, heavy, or KIND=TIMES_PER_DAY,… behind one of them.")
    ] = "light",
    scenario: Annotated[Path | None, typer.Option(help="Your fleet: TOML, YAML or JSON; - is standard input.")] = None,
    profile: Annotated[
        str, typer.Option(help="A fleet that comes along: ship, mine, factory, retail or vehicles.")
    ] = "",
    trace: Annotated[
        Path | None, typer.Option(help="CSV of measured links: trace, duration_ms, bandwidth_kbps; .gz too.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page with pictures, too.")] = None,
    shorten: Annotated[bool, typer.Option(help="Make a run that breaks a law short, and print it as a test.")] = True,
    show_profile: Annotated[bool, typer.Option("--show-profile", help="Print the profile, to begin from.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Let a fleet live in a simulated world, and judge it.

    Hub and nodes run through their days in seconds, and are judged by the laws.

    Exit code 1 when a law is broken. Nothing is started, sent or written but the report.

    Example: ganglion simulate --profile ship --faults none --report ship.html
    """
    from ganglion.entrypoints.simulate import files as simulate_files
    from ganglion.entrypoints.simulate import run as simulate_run
    from ganglion.entrypoints.simulate import text as simulate_text

    if show_profile:
        typer.echo(simulate_files.profile_text(profile), nl=False)
        return
    fleet = simulate_files.fleet(scenario, profile, nodes=nodes, hours=hours)
    traces = simulate_files.read_traces(trace) if trace else ()
    outcome = simulate_run.run(fleet, seed=seed, faults=faults, traces=traces)
    if output is OutputFormat.TABLE:
        typer.echo(simulate_text.text(outcome, fleet), nl=False)
    else:
        emit(outcome, output)
    if report is not None:
        from ganglion.entrypoints.simulate.report import write_report

        write_report(outcome, fleet, report)
        note(f"The report is in {report}.")
    if outcome.broken:
        note(f"Seed {seed} breaks a law. Say it again with: --seed {seed} --faults {faults}")
        if shorten and not traces:
            note(simulate_run.shortened(fleet, seed=seed, faults=faults, outcome=outcome))
        raise typer.Exit(EXIT_BROKEN)
