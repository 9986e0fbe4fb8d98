"""Is the retrained model good enough to become a version?"""

from dataclasses import dataclass

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.factory.domain.evaluation import PairedComparison


class PromotionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a retrained model must show on the held-out rows."""

    accuracy_loss_max: float = 0.02
    """Accuracy that the new model may lose against the current one, as a share; with 95 % confidence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the candidate becomes a version, and why."""

    promoted: bool
    reason: str


def decide(comparison: PairedComparison, settings: PromotionSettings) -> Verdict:
    """Promote a candidate that is, with 95 % confidence, not worse than the current version by more than allowed."""
    figures = (
        f"accuracy {comparison.candidate_accuracy:.2%} against {comparison.reference_accuracy:.2%} "
        f"on the same {comparison.rows} held-out rows"
    )
    limit = settings.accuracy_loss_max
    if comparison.loss > limit:
        return Verdict(promoted=False, reason=f"{figures}: it loses more than {limit:.2%}")
    if comparison.loss_upper > limit:
        doubt = f"it may lose up to {comparison.loss_upper:.2%}, more than {limit:.2%}; more held-out rows would tell"
        return Verdict(promoted=False, reason=f"{figures}: {doubt}")
    return Verdict(promoted=True, reason=figures)


def next_version(version: str) -> str:
    """Return the version after a numbered one. Raises: InvalidRequest: `version` is no whole number."""
    if version.isascii() and version.isdigit():
        return str(int(version) + 1)
    raise InvalidRequest(f"version {version!r} is no whole number, so the next one must be named")
