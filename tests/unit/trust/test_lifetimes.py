"""When what was signed must be signed again: dates follow from settings, and no setting lets metadata run out."""

import pytest
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.signing import Terms

DAY_S = 86_400.0
NOW_S = 1_790_000_000.0


def after(days: float, settings: RepositorySettings) -> Terms:
    return Terms(now_s=NOW_S + days * DAY_S, settings=settings)


def test_each_kind_of_metadata_is_given_the_life_of_its_setting() -> None:
    settings = RepositorySettings(root_life_days=40, targets_life_days=30, snapshot_life_days=20, timestamp_life_days=2)
    terms = after(0, settings)

    lives = [(terms.expiry(kind) - terms.now()).days for kind in (Root, Targets, Snapshot, Timestamp)]

    assert lives == [40, 30, 20, 2]


@pytest.mark.parametrize(("life_days", "age_days", "due_after"), [(7, 1, 1.0), (7, 7, 3.5), (1, 1, 0.5), (1, 9, 0.5)])
def test_a_timestamp_is_signed_again_before_half_of_its_life_is_over(
    life_days: int, age_days: int, due_after: float
) -> None:
    settings = RepositorySettings(timestamp_life_days=life_days, timestamp_age_days_max=age_days)
    signed = Timestamp(expires=after(0, settings).expiry(Timestamp))

    assert not after(due_after - 0.1, settings).is_due(signed)
    assert after(due_after + 0.1, settings).is_due(signed)
