"""Runs many cases of one target from one seed, watches what the process keeps, and makes a finding small.

Case number n of a seed is the same in every run: `--seed S --first N --cases 1` asks for it again.
"""

import gc
import re
import resource
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import FrameType
from typing import Protocol

HANG_S = 20
"""A case that takes longer, of some hundred microseconds, hangs."""
GROWTH_BYTES_MAX = 48 * 1024 * 1024
"""How much a campaign may keep beyond what it kept when the first twentieth was over."""
MEMORY_BYTES_MAX = 1_500_000_000
"""What one case may ask for beyond what the process has."""
_WARM_SHARE, _WARM_CASES_MIN = 20, 3_000
_SMALLER_TRIES_MAX = 1_500


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile input, in the pieces in which it arrives. `kind` says what the target does with it."""

    kind: str
    pieces: tuple[bytes, ...]
    options: tuple[int, ...] = ()
    """What else decides how the case runs: its meaning is the target's."""


class Finding(Exception):
    """A case that the program did not stand."""


class Unframed(Finding):
    """Answers and requests do not pair up. With bytes left out they never would, so such a case stays whole."""


class Target(Protocol):
    """What is attacked. A target keeps its state from case to case, as a server does."""

    def make(self, random: Random) -> Case:
        """Return a new case."""
        ...

    def run(self, case: Case) -> str:
        """Try a case, and return in a word what came of it. Raises: Finding."""
        ...

    def close(self) -> None:
        """Let go of everything. Raises: Finding: something was still held."""
        ...


@dataclass(slots=True)
class Failure:
    """A finding with what is needed to see it again."""

    number: int
    case: Case
    reason: str
    is_alone: bool
    """The case fails in a fresh target too, without the cases before it."""


@dataclass(slots=True)
class Outcome:
    """What a campaign saw."""

    cases: int = 0
    elapsed_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    grown_bytes: int = 0
    grown_files: int = 0


def case_of(target: Target, name: str, seed: int, number: int) -> Case:
    """Return case `number` of a seed."""
    return target.make(Random(f"{name}:{seed}:{number}"))


def run_campaign(
    name: str,
    make_target: Callable[[], Target],
    *,
    seed: int,
    cases: int,
    first: int = 0,
    failures_max: int = 5,
    tell: Callable[[int, Outcome], None] = lambda _number, _outcome: None,
) -> Outcome:
    """Run cases `first` to `first + cases`, and stop early after `failures_max` findings."""
    with bounded(MEMORY_BYTES_MAX), warnings.catch_warnings():
        warnings.simplefilter("error")  # A client that can make the server warn fills its log.
        return _run(name, make_target, range(first, first + cases), seed=seed, failures_max=failures_max, tell=tell)


def _run(
    name: str,
    make_target: Callable[[], Target],
    numbers: range,
    *,
    seed: int,
    failures_max: int,
    tell: Callable[[int, Outcome], None],
) -> Outcome:
    outcome, target, cases = Outcome(), make_target(), len(numbers)
    warm_at = max(cases // _WARM_SHARE, min(cases, _WARM_CASES_MIN))
    kept_bytes = kept_files = 0
    began_s = time.monotonic()
    for number in numbers:
        case = case_of(target, name, seed, number)
        reason = _reason(target, case, outcome.counts)
        if reason:
            target = make_target()  # What a finding leaves behind says nothing about the next case.
            outcome.failures.append(_small(make_target, Failure(number, case, reason, is_alone=False)))
            if len(outcome.failures) >= failures_max:
                break
        outcome.cases += 1
        if outcome.cases == warm_at:
            kept_bytes, kept_files = _resident_bytes(), open_files()
        tell(number, outcome)
    outcome.elapsed_s = time.monotonic() - began_s
    if outcome.cases >= warm_at and not outcome.failures:
        outcome.grown_bytes, outcome.grown_files = _resident_bytes() - kept_bytes, open_files() - kept_files
    target.close()
    return outcome


def open_files() -> int:
    """Return how many descriptors this process has."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def bounded(memory_bytes: int) -> Iterator[None]:
    """Turn a request for very much memory into a MemoryError, which is a finding, and an endless case into one too."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory_bytes, before[1]))
    handler = signal.signal(signal.SIGALRM, _on_alarm)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"the case took more than {HANG_S} s")


def _reason(target: Target, case: Case, counts: Counter[str]) -> str:
    """Return why a case is a finding; empty if it is none."""
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        counts[target.run(case)] += 1
    except Exception as error:  # noqa: BLE001 - whatever comes out is the finding
        return f"{type(error).__name__}: {error}"[:800]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return ""


def _small(make_target: Callable[[], Target], failure: Failure) -> Failure:
    """Leave out of a failing case whatever it fails without. What needs the cases before it stays as it is."""

    def reason_of(pieces: tuple[bytes, ...]) -> str:
        return _reason(make_target(), replace(failure.case, pieces=pieces), Counter())

    if not reason_of(failure.case.pieces):
        return failure
    failure.is_alone = True
    if failure.reason.startswith(Unframed.__name__):
        return failure
    kind = _without_numbers(failure.reason)
    whole = (b"".join(failure.case.pieces),)
    pieces = whole if _without_numbers(reason_of(whole)) == kind else failure.case.pieces
    tries, chunk = 0, max(map(len, pieces), default=0)
    while chunk and tries < _SMALLER_TRIES_MAX:
        for at in range(len(pieces)):
            start = 0
            while start < len(pieces[at]) and tries < _SMALLER_TRIES_MAX:
                tries += 1
                shorter = (*pieces[:at], pieces[at][:start] + pieces[at][start + chunk :], *pieces[at + 1 :])
                if _without_numbers(reason_of(shorter)) == kind:
                    pieces = shorter
                else:
                    start += chunk
        chunk //= 2
    failure.case, failure.reason = replace(failure.case, pieces=pieces), reason_of(pieces)
    return failure


def _without_numbers(reason: str) -> str:
    """Return what stays the same of a reason while its case becomes smaller."""
    return re.sub(r"[0-9]+", "", reason)[:60]


def _resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
