"""Run the demo from the first chapter to the last, and clean up whatever happens."""

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganglion.core.errors import CheckFailed, InvalidRequest
from ganglion.entrypoints.demo import chapters, digits, lessons, summary, trial
from ganglion.entrypoints.demo.console import Console
from ganglion.entrypoints.demo.ending import ends_in_order
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.report import write_report
from ganglion.entrypoints.demo.scoreboard import Chapter, Promise, Scoreboard
from ganglion.entrypoints.demo.script import QUICK, Script
from ganglion.entrypoints.demo.world import World, open_world
from ganglion.testing.processes import clock_s


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line decides."""

    quick: bool = False
    keep: bool = False
    """Leave the hub running, and its data in place."""
    report_file: Path = Path("demo-report.html")


def run_demo(options: DemoOptions, console: Console | None = None) -> None:
    """Tell the whole story and write the report.

    Raises: CheckFailed: a promise did not hold. InvalidRequest: there is no directory for the report.
    """
    console = console or Console()
    if not options.report_file.parent.is_dir():
        raise InvalidRequest(f"there is no directory {options.report_file.parent} for the report")
    with ends_in_order():
        promises = _perform(options, console)
    broken = [promise.text for promise in promises if not promise.held]
    if broken:
        raise CheckFailed(f"{len(broken)} of {len(promises)} promises did not hold: {'; '.join(broken)}")
    console.say(f"all {len(promises)} promises held")


def _perform(options: DemoOptions, console: Console) -> list[Promise]:
    """Start everything, tell the story, and leave only what `--keep` asks for."""
    data = Path(tempfile.mkdtemp(prefix="ganglion-demo-"))
    script = QUICK if options.quick else Script()
    kept = False
    try:
        console.say("starting one hub, four nodes and a client at each of them")
        parts = digits.load()
        with open_world(data, parts, script, keep_hub=options.keep) as world:
            play = Play(world, parts, script, Scoreboard(began_s=clock_s()), console, data / "packages")
            play.workshop.mkdir()
            _tell(play)
            write_report(play, options.report_file)
            console.say(f"report: {options.report_file.resolve()}")
            kept = options.keep
            if kept:
                _tell_login(console, world, data)
    finally:
        if not kept:
            shutil.rmtree(data, ignore_errors=True)
    return play.board.promises


def _tell(play: Play) -> None:
    cut_s = 0.0

    def cut() -> None:
        nonlocal cut_s
        cut_s = chapters.cut_the_cable(play)

    story: list[tuple[str, Callable[[], None]]] = [
        ("Train on a tenth of the labels, optimise, sign, release 1", lambda: chapters.train_and_release(play)),
        ("Roll release 1 out in stages, as the fleet's files declare it", lambda: chapters.roll_out_first(play)),
        ("The cable is cut", cut),
        ("Processes are killed", lambda: chapters.kill_processes(play)),
        ("The cable is back", lambda: chapters.mend_the_cable(play, cut_s)),
        ("A plausible bad version", lambda: lessons.try_a_bad_version(play)),
        ("Learn from what the edge kept: release 2", lambda: lessons.learn(play)),
        ("Release 2 beside release 1: an experiment", lambda: trial.compare(play)),
        ("The winner goes through the gate", lambda: trial.roll_out_winner(play)),
        ("Summary", lambda: summary.sum_up(play)),
    ]
    for number, (title, work) in enumerate(story, start=1):
        began_s = clock_s()
        play.console.chapter(number, title)
        try:
            work()
        except (KeyboardInterrupt, SystemExit):
            # The terminal itself may be what was closed.
            with contextlib.suppress(OSError):
                play.console.say("interrupted: ending everything that was started")
            raise
        play.board.chapters.append(Chapter(number, title, began_s, clock_s(), tuple(play.console.lines)))
    play.console.table(list(play.board.figures.items()))


def _tell_login(console: Console, world: World, data: Path) -> None:
    console.say(f"the hub goes on at {world.hub.url}")
    console.say(f"log in: ganglion login {world.hub.url} --token {world.token} --ca-pin {world.hub.ca_pin}")
    console.say("or open the address in a browser, let it accept the certificate, and log in with the token")
    console.say(f"end it: kill {world.hub.pid} && rm -r {shlex.quote(str(data))}")
