"""What alerts ask for beside nodes: rollouts, and the hub itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from ganglion.hub.domain.alerts import alerting
from ganglion.hub.domain.alerts.alerting import HUB, Places, Watch
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.ports.hub_store import ControlTransaction
from ganglion.ports.people_store import AuditQuery
from ganglion.trust.audit import Link
from ganglion.trust.ceremony.inventory import Role
from ganglion.wire import codec
from ganglion.wire.alert_resources import AlertCondition

_ABORTS_MAX = 100
_WAITING = ("paused", "awaiting_approval")
_DAY_S = 86_400.0
_C = AlertCondition


@dataclass(frozen=True, slots=True, kw_only=True)
class HubItself:
    """What a hub knows of itself, asked when an alert wants it."""

    free_bytes: Callable[[], int]
    """Room on its disk."""
    roles: Callable[[], Sequence[Role]]
    """Those of its signed metadata."""
    certificate_expires_at_s: Callable[[], float]
    """When the certificate that it shows expires. Raises: DataCorrupt, DiskUnusable."""


class _Held(msgspec.Struct, frozen=True):
    """What of a rollout says how long it has waited: the document itself may be large."""

    updated_at_s: float
    paused_at_s: float | None = None


def rollouts(tx: ControlTransaction, watch: Watch, now_s: float) -> Places:
    """Return the rollouts of which a condition is true."""
    words, values = dict[str, dict[str, str]](), dict[str, float]()
    if watch.spec.condition is _C.ROLLOUT_ABORTED:
        since_ns = max(0, int((now_s - watch.spec.within_s) * 1e9))
        # The chain has them by time; rollouts themselves are large, and never forgotten.
        links = tx.audit(AuditQuery(action="rollout.aborted", since_ns=since_ns, limit=_ABORTS_MAX))
        for link in (msgspec.json.decode(row.document, type=Link) for row in links):
            model, version = link.facts.get("model", ""), link.facts.get("version", "")
            if watch.spec.model in {"", model}:
                values[link.subject] = 1.0
                words[link.subject] = {"rollout": f"{model}:{version}", "reason": link.reason}
    else:
        for row in tx.rollouts(model=watch.spec.model or None, states=_WAITING):
            held = codec.decode_json(row.document, _Held)
            values[row.rollout_id] = now_s - (held.paused_at_s or held.updated_at_s)
            state = row.state.replace("_", " ")
            words[row.rollout_id] = {"rollout": f"{row.model}:{row.version}", "state": state}
    return alerting.numbers(watch, sorted(values.items()), words)


def numbers(tx: ControlTransaction, spec: AlertSpec, itself: HubItself, now_s: float) -> list[tuple[str, float]]:
    """Return what a condition about the hub is judged by, by subject. Raises: DataCorrupt, DiskUnusable."""
    match spec.condition:
        case _C.HUB_DISK_LOW:
            return [(HUB, float(itself.free_bytes()))]
        case _C.CERTIFICATE_EXPIRING:
            return [(HUB, itself.certificate_expires_at_s() - now_s)]
        case _C.TOKEN_EXPIRING:
            return _tokens(tx, now_s)
        case _:
            # What is renewed in time by itself has a short life, and is no news.
            due = [(role.name, role.expires_at_s) for role in itself.roles() if role.is_due]
            return [(name, expires_at_s - now_s) for name, expires_at_s in due if expires_at_s is not None]


def _tokens(tx: ControlTransaction, now_s: float) -> list[tuple[str, float]]:
    """Return how long programs still have a token, by name: a fresh one in place of an old one is enough.

    A token whose end is a day away in the past was not renewed on purpose.
    """
    left: dict[str, float] = {}
    for row in tx.program_tokens():
        if row.revoked_at_s is None:
            left[row.name] = max(left.get(row.name, -_DAY_S), row.expires_at_s - now_s)
    return [(name, left_s) for name, left_s in sorted(left.items()) if left_s > -_DAY_S]
