"""What the chapters share: the cast, the scoreboard, and ways to wait, to watch and to promise."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganglion.core.errors import Unavailable
from ganglion.entrypoints.demo.console import Console
from ganglion.entrypoints.demo.digits import Digits
from ganglion.entrypoints.demo.scoreboard import Fault, FaultFigures, Scoreboard
from ganglion.entrypoints.demo.script import MODEL, Script
from ganglion.entrypoints.demo.world import World
from ganglion.entrypoints.learning import TrainedVersion
from ganglion.testing.ledger import Ledger
from ganglion.testing.processes import clock_s
from ganglion.testing.waiting import wait_until


@dataclass(slots=True)
class Play:
    """One run of the demo."""

    world: World
    digits: Digits
    script: Script
    board: Scoreboard
    console: Console
    workshop: Path
    """Where packages are made."""
    release_1: TrainedVersion | None = None

    @property
    def fleet_files(self) -> Path:
        """The directory in which the fleet is declared."""
        return self.workshop.parent / "fleet"

    def check_ledgers(self, until_s: float) -> Ledger:
        """Wait until every answer before `until_s` is at the hub, and return the sum of the comparisons."""

        def complete() -> bool:
            self.board.ledgers = {name: self.world.ledger(name, until_s) for name in self.world.clients}
            missing = sum(ledger.lost for ledger in self.board.ledgers.values())
            self.console.progress(f"{missing} answers are not stored yet")
            return missing == 0

        try:
            self.wait("every record to arrive", complete)
        except Unavailable as error:
            # What is missing is in the ledgers, and breaks the promise that is made of them.
            self.console.say(error.message)
        return sum(self.board.ledgers.values(), start=Ledger(0, 0, 0, 0))

    def run_on(self, seconds: float) -> None:
        """Let the clients work for a while, and show how many answers they got."""
        until_s = clock_s() + seconds

        def over() -> bool:
            answered = sum(sum(e.is_answered for e in list(c.exchanges)) for c in self.world.clients.values())
            self.console.progress(f"{answered} requests answered so far")
            return clock_s() >= until_s

        self.wait("the time to pass", over)

    def note_fault(self, fault: Fault) -> FaultFigures:
        """Note a fault that is over, and return what became of the requests meanwhile."""
        self.board.faults.append(fault)
        self.note_exchanges()
        return self.board.during(fault)

    def note_exchanges(self) -> None:
        """Take over what the clients have seen so far."""
        self.board.exchanges = {name: list(client.exchanges) for name, client in self.world.clients.items()}

    def serves_everywhere(self, version: str) -> bool:
        """Say whether every node reports that it answers with `version`."""
        views = self.world.views().values()
        return all(any(m.model == MODEL and m.version == version for m in view.models) for view in views)

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for a condition. Raises: Unavailable: it did not come true in time."""
        wait_until(lambda: condition() or None, what=what, timeout_s=self.script.wait_s)

    def promise(self, text: str, *, held: bool, figures: str) -> None:
        """Note and tell whether a promise held."""
        self.console.verdict(self.board.promise(text, held=held, figures=figures))
