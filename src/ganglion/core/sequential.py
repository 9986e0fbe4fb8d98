"""How sure may one be that a figure broke its limit, when one looks at it every second? Tests valid at any look.

Each function returns the logarithm of an e-value: evidence that has a mean of at most 1 while the limit is kept,
whatever the moment at which one looks or stops. By Ville's inequality it ever reaches 1 / alpha with a chance
of at most alpha, so an abort at `exceeds(evidence, alpha)` is wrong that rarely over all looks together.
Sources: Ville (1939); Robbins (1970), "Statistical methods related to the law of the iterated logarithm" (mixtures);
Ramdas, Gruenwald, Vovk and Shafer (2023), "Game-theoretic statistics and safe anytime-valid inference".
"""

import math
from collections.abc import Sequence

from ganglion.core.errors import Rejected

_STAKES = tuple(0.05 * 1.28**step for step in range(24))
"""How far above the limit the truth may lie, in log-odds: the bets among which the stake is divided."""
_HALVINGS = 40


def exceeds(log_evidence: float, alpha: float) -> bool:
    """Say whether evidence this strong appears with a chance of at most `alpha`, over all looks, without a cause."""
    return log_evidence >= -math.log(alpha)


def rate_evidence(hits: int, trials: int, limit: float) -> float:
    """Return the evidence that the chance of a hit is above `limit`, from counts that only grow.

    A stake is divided among alternatives above the limit; each is a likelihood ratio, which is a supermartingale
    for every chance up to the limit, and so is their mean. Trials must not influence each other beyond that.
    Source: Robbins (1970), discrete mixture; Ramdas et al. (2023), section 3.
    Raises: Rejected: there are more hits than trials, or negative ones.
    """
    if not 0 <= hits <= trials:
        raise Rejected(f"{hits} hits of {trials} trials cannot be")
    if limit >= 1.0 or trials == 0:
        return 0.0
    if limit <= 0.0:
        return math.inf if hits else 0.0
    odds = limit / (1.0 - limit)
    return _log_mean([_log_ratio(hits, trials, limit, odds * math.exp(stake)) for stake in _STAKES])


def _log_ratio(hits: int, trials: int, limit: float, odds: float) -> float:
    missed = -math.log1p(odds)
    return hits * (math.log(odds) + missed - math.log(limit)) + (trials - hits) * (missed - math.log1p(-limit))


def rate_ceiling(hits: int, trials: int, alpha: float) -> float:
    """Return the end of the interval [0, ceiling] that holds the true chance at every look, except with `alpha`.

    Source: the test above turned round; a confidence sequence. 1 when nothing was tried.
    """
    if trials in (0, hits):
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if exceeds(rate_evidence(trials - hits, trials, 1.0 - middle), alpha):
            high = middle
        else:
            low = middle
    return high


def mean_evidence(estimate: float, error: float, *, scale: float) -> float:
    """Return the evidence that a mean is above 0, from an `estimate` with this standard error.

    `scale` is the size of effect that should be found soonest. A normal mixture over positive effects: valid at any
    look when the estimate is close to normal and the error shrinks as knowledge comes in.
    Source: Howard, Ramdas, McAuliffe and Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence
    sequences", one-sided normal mixture.
    """
    if not error > 0.0:
        return math.inf if estimate > 0.0 else 0.0
    information, prior = 1.0 / error**2, 1.0 / scale**2
    total = information + prior
    score = estimate * information
    standardised = score / math.sqrt(total)
    below = math.erfc(-standardised / math.sqrt(2.0)) / 2.0
    if below <= 0.0:
        return -math.inf
    return 0.5 * math.log(prior / total) + standardised**2 / 2.0 + math.log(2.0 * below)


def student_evidence(estimate: float, error: float, freedom: float, *, scale: float) -> float:
    """Return the same for an error that is itself estimated, with so many degrees of freedom.

    Source: Wallace (1959), "Bounds on normal approximations to Student's and the chi-square distributions".
    """
    if not error > 0.0 or estimate == 0.0:
        return mean_evidence(estimate, error, scale=scale)
    student = estimate / error
    normal = math.copysign(math.sqrt(freedom * math.log1p(student**2 / freedom)), student)
    # An estimate so small that its square is nothing says nothing either way.
    return mean_evidence(estimate, estimate / normal if normal else error, scale=scale)


def divided(logs: Sequence[float]) -> float:
    """Return the evidence of a stake that is divided among tests of one claim: the mean of evidences is evidence.

    Source: Robbins (1970), discrete mixture; Ramdas et al. (2023), section 3.
    """
    strongest = max(logs)
    return strongest if math.isinf(strongest) else _log_mean([*logs])


def shift_boundary(information: float, freedom: float, alpha: float, *, scale: float) -> float:
    """Return the squared distance that two distributions over `freedom` + 1 bins keep to, at every look, by chance.

    `information` is the harmonic sample size, 1 / (1/n + 1/m); the distance is that of the PSI, which times the
    information follows the chi-squared law with `freedom` degrees. `scale` is the distance to be found soonest.
    Source: Yurdakul (2018) for the law of the PSI; Robbins (1970), normal mixture in several dimensions, for any look;
    Jennison and Turnbull (2000), "Group sequential methods", for information as the time of the process.
    """
    if information <= 0.0:
        return math.inf
    prior = freedom / scale
    growth = freedom * math.log1p(information / prior)
    return (information + prior) / information**2 * (2.0 * -math.log(alpha) + growth)


def _log_mean(logs: list[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(each - top) for each in logs) / len(logs))
