"""Settings of `ganglion trust`. Apart from the commands, so that reading settings opens nothing."""

import msgspec

from ganglion.trust.lifetimes import Days, RepositorySettings


class TrustSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the commands of key holders get at their keys."""

    passphrase_file: str = ""
    """File whose first line is the passphrase of private keys. Empty: the setting below, or the terminal is asked."""

    passphrase: str = ""
    """The passphrase itself. For scripts; a terminal or a file leaves fewer traces."""

    root_life_days: Days = 90
    """For how long a root that is proposed here is good."""

    targets_life_days: Days = 90
    """For how long a list of models, or of a model's packages, that is proposed here is good."""


def lifetimes_of(settings: TrustSettings) -> RepositorySettings:
    """Return the lifetimes of what people propose; those of the hub's own roles are for the hub to choose."""
    return RepositorySettings(root_life_days=settings.root_life_days, targets_life_days=settings.targets_life_days)
