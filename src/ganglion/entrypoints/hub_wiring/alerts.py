"""The part of the hub that tells people what is wrong: looks, the queue of messages, and the addresses behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganglion.adapters.openid import check_address
from ganglion.adapters.webhook import Webhook
from ganglion.core.errors import GanglionError, InvalidSettings
from ganglion.core.identity_errors import ProviderFailed
from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_wiring.audit import AuditWorld
from ganglion.entrypoints.settings.alerts import AlertSettings, TargetSettings
from ganglion.hub.domain.alerts.messages import Patience
from ganglion.hub.services.alerts.alerts import Alerts
from ganglion.hub.services.alerts.delivery import AlertDelivery, Target
from ganglion.hub.services.alerts.facts import AlertFacts
from ganglion.hub.services.alerts.hub_facts import HubItself
from ganglion.hub.services.alerts.looks import AlertLooks, LookSettings
from ganglion.ports.hub_store import NodeRow
from ganglion.trust.notification import SECRET_LENGTH_MIN

_SECRET_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """Alerts as people see them, what looks, and what sends."""

    alerts: Alerts
    looks: AlertLooks
    delivery: AlertDelivery


def open_alerting(
    settings: AlertSettings,
    world: AuditWorld,
    *,
    last_seen_at_s: Callable[[NodeRow], float | None],
    itself: HubItself,
) -> Alerting:
    """Return the services. Raises: InvalidSettings: a target cannot be told."""
    targets = {name: _target(name, each) for name, each in settings.targets.items()}
    control, clock, chance = world.control, world.clock, world.chance
    facts = AlertFacts(
        control=control,
        telemetry=world.telemetry,
        clock=clock,
        last_seen_at_s=last_seen_at_s,
        itself=itself,
    )
    looks = AlertLooks(
        control=control,
        clock=clock,
        chance=chance,
        facts=facts,
        targets={name: target.severity_min for name, target in targets.items()},
        settings=LookSettings(look_s=settings.look_s, queue_max=settings.queue_max),
    )
    patience = Patience(
        first_s=settings.retry_first_s,
        pause_s_max=settings.retry_pause_s_max,
        give_up_after_s=settings.give_up_after_s,
    )
    return Alerting(
        alerts=Alerts(control=control, clock=clock, current=looks.current),
        looks=looks,
        delivery=AlertDelivery(control=control, clock=clock, chance=chance, targets=targets, patience=patience),
    )


def _target(name: str, settings: TargetSettings) -> Target:
    where = f"hub.alerts.targets.{name[:80]}"
    try:
        parse_name(name, what="target")
        check_address(settings.url)
    except ProviderFailed as error:
        raise InvalidSettings(f"{where}.url is no https address, and not of this machine itself") from error
    except (GanglionError, ValueError) as error:
        raise InvalidSettings(f"{where}: no name and address of a target") from error
    if settings.ca_file and not Path(settings.ca_file).is_file():
        raise InvalidSettings(f"{where}.ca_file: {settings.ca_file} is not there")
    try:
        notifier = Webhook(settings.url, timeout_s=settings.timeout_s, ca_file=settings.ca_file)
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{where}: its url or its ca_file cannot be read") from error
    return Target(
        notifier=notifier,
        severity_min=settings.severity_min,
        secret=_secret(where, settings),
    )


def _secret(where: str, settings: TargetSettings) -> str:
    if settings.secret and settings.secret_file:
        raise InvalidSettings(f"{where}: give secret or secret_file, not both")
    secret = settings.secret or _read(where, settings.secret_file)
    if (settings.secret_file or secret) and len(secret) < SECRET_LENGTH_MIN:
        raise InvalidSettings(f"{where}: the secret has at least {SECRET_LENGTH_MIN} characters")
    return secret


def _read(where: str, file: str) -> str:
    if not file:
        return ""
    try:
        with Path(file).expanduser().open("rb") as source:
            return source.read(_SECRET_BYTES_MAX).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{where}.secret_file: {file} cannot be read") from error
