"""When the supervisor starts a process again that has ended."""

from dataclasses import dataclass

STABLE_S = 30.0
"""A process that ran this long had a good start: its earlier failures are forgotten."""
_FIRST_S = 0.05
"""After a single death the process is back almost at once."""


@dataclass(frozen=True, slots=True)
class RestartDecision:
    """How long to wait, and how many failures in a row led here."""

    delay_s: float
    failures: int


def after_exit(failures: int, *, ran_s: float, delay_s_max: float) -> RestartDecision:
    """Decide about a process that ended after `ran_s`, having failed `failures` times in a row before."""
    failures = 1 if ran_s >= STABLE_S else failures + 1
    return RestartDecision(delay_s=min(delay_s_max, _FIRST_S * 4.0 ** min(failures - 1, 16)), failures=failures)
