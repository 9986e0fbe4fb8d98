"""How long signed metadata is good. Apart from signing, so that reading settings imports no cryptography."""

from typing import Annotated

import msgspec

Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]


class RepositorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long signed metadata is good. Short lives bound how long an attacker can hide news from a node."""

    root_life_days: Days = 90
    """Life of the root of trust. While the hub holds its key it signs it again when a third is left; then people do."""
    targets_life_days: Days = 90
    """Life of the list of models and of each model's list of packages. Signed again when a third is left."""
    snapshot_life_days: Days = 30
    """Life of the list of metadata versions. Signed again when a third is left."""
    timestamp_life_days: Days = 7
    """A node that cannot reach the hub for longer than this installs nothing new; it goes on serving."""
    timestamp_age_days_max: Days = 1
    """The timestamp is signed again when it is older than this, or at half its life, whichever comes first."""
