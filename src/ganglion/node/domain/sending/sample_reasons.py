"""Why a node keeps an input. Apart from how it finds out: whoever only reads the reason needs no numpy."""

from enum import StrEnum


class SampleReason(StrEnum):
    """Why an input was kept."""

    LOW_CONFIDENCE = "low_confidence"
    SMALL_MARGIN = "small_margin"
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    DISAGREEMENT = "disagreement"
    TRIGGER_RULE = "trigger_rule"
    RANDOM = "random"
    REQUESTED = "requested"
