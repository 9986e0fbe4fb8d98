"""How much of the audit chain is kept. Apart from the chain, so that reading settings imports no cryptography."""

from typing import Annotated, Literal

import msgspec

from ganglion.core.errors import InvalidSettings

Positive = Annotated[int, msgspec.Meta(ge=1)]


_DAYS_MIN = 184
"""Six months: less is refused, unless the operator says that less is meant."""


class ShippingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where closed segments of the hub's chain go, so that they outlive the hub."""

    target: str = ""
    """A directory, or `s3://BUCKET/PREFIX` (extra `s3`); empty: nothing is shipped."""

    endpoint: str = "https://s3.amazonaws.com"
    """Address of the object store."""

    region: str = ""
    """Region of the bucket; empty: the store is asked."""

    access_key: str = ""
    """Name of the key with which the store is asked."""

    secret_key_file: str = ""
    """File with the secret of that key."""

    lock: Literal["COMPLIANCE", "GOVERNANCE", ""] = "COMPLIANCE"
    """Mode of the retention lock on each object; empty: none. The bucket must have been made with object lock."""

    lock_days: Positive = _DAYS_MIN
    """How long each object is locked."""

    links_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 5_000
    """Links in one segment: as soon as there are so many, they are shipped."""

    every_s: Annotated[float, msgspec.Meta(ge=60)] = 86_400.0
    """Links that are older are shipped, however few they are."""

    prune_unshipped: bool = False
    """Remove links that are past their time from the hub even where they could not be shipped."""


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long links are kept, and how many refusals are written down."""

    retention_days: Positive = 184
    """Links are removed after this time: six months."""
    short_on_purpose: bool = False
    """Allow `retention_days` and `shipping.lock_days` of less than six months."""
    refusals_per_minute_max: Positive = 60
    """Refusals of one caller that become links each minute; the next link says how many did not."""
    shipping: ShippingSettings = ShippingSettings()
    """Where closed segments of the chain go."""


def check_kept_long_enough(settings: AuditSettings) -> None:
    """Refuse to keep less than six months by mistake. Raises: InvalidSettings."""
    if settings.short_on_purpose:
        return
    times = {"retention_days": settings.retention_days}
    if settings.shipping.target and settings.shipping.lock:
        times["shipping.lock_days"] = settings.shipping.lock_days
    for name, days in times.items():
        if days < _DAYS_MIN:
            raise InvalidSettings(
                f"hub.audit.{name} = {days} keeps less than six months ({_DAYS_MIN} days) of who did what; "
                "where that is meant, set hub.audit.short_on_purpose = true"
            )
