"""How much of the audit chain is kept. Apart from the chain, so that reading settings imports no cryptography."""

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long links are kept, and how many refusals are written down."""

    retention_days: Positive = 184
    """Links are removed after this time: six months."""
    refusals_per_minute_max: Positive = 60
    """Refusals of one caller that become links each minute; the next link says how many did not."""
