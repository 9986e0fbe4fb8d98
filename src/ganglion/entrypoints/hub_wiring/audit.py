"""Puts together what keeps the hub's audit chain."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from ganglion.adapters.files import KeyFiles
from ganglion.entrypoints.hub_wiring.segment_stores import open_segment_store
from ganglion.hub.domain.audit_limits import AuditSettings, check_kept_long_enough
from ganglion.hub.services.audit.chain import Audit
from ganglion.hub.services.audit.shipping import AuditShipping, ShippingRights, shipped_of
from ganglion.hub.services.audit.trust_deeds import TrustDeeds
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.telemetry_store import TelemetryStore


class AuditWorld(Protocol):
    """What the chain needs from outside."""

    @property
    def control(self) -> ControlStore:
        """Where links are kept."""
        ...

    @property
    def telemetry(self) -> TelemetryStore:
        """Where the links of nodes come in."""
        ...

    @property
    def clock(self) -> Clock:
        """Both kinds of time."""
        ...

    @property
    def chance(self) -> Chance:
        """Where new ids come from."""
        ...


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """The chain, what ships it, and what writes down changes that are files."""

    audit: Audit
    shipping: AuditShipping
    deeds: TrustDeeds
    settings: AuditSettings

    def tend(self) -> None:
        """Sign for the chain, ship what is due, and remove what is past its time. Call it hourly.

        Where links are shipped, only those that have arrived are removed.
        """
        self.audit.checkpoint()
        self.shipping.ship_due()
        shipping = self.settings.shipping
        waits = bool(shipping.target) and not shipping.prune_unshipped
        self.audit.prune(shipped_through=_shipped_number if waits else None)


def open_trail(
    settings: AuditSettings, data: Path, world: AuditWorld, *, root_version: Callable[[], int]
) -> AuditTrail:
    """Open the chain of the hub at `data`, and make good what a crash interrupted.

    Raises: InvalidSettings: it would be kept for too short a time, or shipped nowhere. MissingExtra.
    """
    check_kept_long_enough(settings)
    control, clock, chance, shipping = world.control, world.clock, world.chance, settings.shipping
    audit = Audit(
        control=control,
        telemetry=world.telemetry,
        clock=clock,
        chance=chance,
        key=partial(KeyFiles(data / "keys").private_bytes, "audit"),
        settings=settings,
    )
    deeds = TrustDeeds(control=control, clock=clock, chance=chance, root_version=root_version)
    deeds.settle()
    return AuditTrail(
        audit=audit,
        shipping=AuditShipping(
            control=control,
            clock=clock,
            rights=ShippingRights(sign=audit.sign, public_key=lambda: audit.public_key),
            store=open_segment_store(shipping, shipping.target) if shipping.target else None,
            settings=shipping,
        ),
        deeds=deeds,
        settings=settings,
    )


def _shipped_number(tx: ControlTransaction) -> int:
    return shipped_of(tx).number
