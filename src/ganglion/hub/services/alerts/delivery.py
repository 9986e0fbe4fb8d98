"""Sends what waits in the queue of messages, one attempt at a time, and tries again what was not taken.

A message leaves the queue when its target has taken it: a hub that ends in between sends it again, with the same id.
The messages of one target go in their order; a target that does not answer holds up no other.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
import structlog

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.alerts import messages as alert_messages
from ganglion.hub.domain.alerts.messages import TEST, Patience
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.hub.services.alerts import documents
from ganglion.hub.services.alerts.documents import Waiting
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.notifier import Notifier
from ganglion.trust import notification
from ganglion.wire.alert_resources import AlertTarget, AlertTestOutcome, Severity

_TROUBLE_MAX = 300
_TESTS_AT_ONCE = 8
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where messages go, and how they are signed."""

    notifier: Notifier
    severity_min: Severity
    secret: str = ""


class AlertDelivery:
    """Works off the queue. `step` is called by one thread; the rest by any."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        chance: Chance,
        targets: Mapping[str, Target],
        patience: Patience,
    ) -> None:
        self._control, self._clock, self._chance = control, clock, chance
        self._targets, self._patience = targets, patience
        self._delivered, self._dropped = Counter[str](), Counter[str]()
        self._taken, self._later = set[str](), dict[str, Waiting]()
        """What could not be stored yet of attempts: nobody is told again and again while a disk is full."""
        self._lock = threading.Lock()

    def step(self) -> bool:
        """Make one attempt, if one is due; True: there may be another."""
        now_s = utc_s(self._clock)
        with self._control.read() as tx:
            waiting = documents.waiting(tx)
        due = self._due(waiting, now_s)
        if due is None:
            return False
        name, message = due
        trouble = "" if name in self._taken else self._attempt(message)
        if trouble:
            self._put_off(name, message, trouble)
            return True
        self._taken.add(name)
        self._remove(name)
        self._count(self._delivered, message.target)
        log.info("alert.delivered", target=message.target, message_id=message.message_id)
        return True

    def test(self, name: str, spec: AlertSpec) -> list[AlertTestOutcome]:
        """Send each target a message that says that nothing has happened; return what came of it.

        Raises: InvalidRequest: there is nobody to tell.
        """
        if not self._targets:
            raise InvalidRequest("this hub tells nobody: set hub.alerts.targets")
        now_s = utc_s(self._clock)
        message_id = new_id(self._chance)
        body = alert_messages.body(alert_messages.compose(message_id, TEST, name, spec, subjects={}, now_s=now_s))

        def outcome(target: str) -> AlertTestOutcome:
            trouble = self._send(self._targets[target], message_id, body)
            return AlertTestOutcome(target=target, is_delivered=not trouble, trouble=trouble)

        with ThreadPoolExecutor(_TESTS_AT_ONCE) as threads:
            return list(threads.map(outcome, sorted(self._targets)))

    def targets(self) -> list[AlertTarget]:
        """Return every target by name, and how it goes."""
        with self._control.read() as tx:
            waiting = [message for _, message in documents.waiting(tx)]
        found = []
        for name, target in sorted(self._targets.items()):
            theirs = [message for message in waiting if message.target == name]
            found.append(
                AlertTarget(
                    name=name,
                    host=target.notifier.host,
                    severity_min=target.severity_min.value,
                    waiting=len(theirs),
                    attempts=theirs[0].attempts if theirs else 0,
                    trouble=theirs[0].trouble if theirs else "",
                    delivered=self._delivered[name],
                    dropped=self._dropped[name],
                )
            )
        return found

    def _due(self, waiting: Sequence[tuple[str, Waiting]], now_s: float) -> tuple[str, Waiting] | None:
        """Return the first message that is due, of a target whose earlier messages are not waiting."""
        held = set[str]()
        for name, message in waiting:
            if message.target in held:
                continue
            known = self._later.get(name, message)
            if alert_messages.due_s(self._patience, known.due_at_s, now_s) <= 0.0:
                return name, known
            held.add(message.target)
        return None

    def _attempt(self, message: Waiting) -> str:
        target = self._targets.get(message.target)
        return (
            "the settings name it no more" if target is None else self._send(target, message.message_id, message.body)
        )

    def _send(self, target: Target, message_id: str, body: str) -> str:
        sent, now_s = body.encode(), utc_s(self._clock)
        headers = notification.headers(target.secret, message_id=message_id, body=sent, now_s=now_s)
        return target.notifier.send(sent, {"content-type": "application/json", **headers})[:_TROUBLE_MAX]

    def _put_off(self, name: str, message: Waiting, trouble: str) -> None:
        now_s, attempts = utc_s(self._clock), message.attempts + 1
        facts = {"target": message.target, "message_id": message.message_id, "attempts": attempts, "reason": trouble}
        is_late = now_s - message.created_at_s >= self._patience.give_up_after_s
        if is_late or message.target not in self._targets:
            self._remove(name)
            self._count(self._dropped, message.target)
            log.error("alert.undelivered", **facts)
            return
        log.warning("alert.delivery_failed", **facts)
        pause_s = alert_messages.pause_s(self._patience, attempts, self._chance.share())
        after = msgspec.structs.replace(message, attempts=attempts, due_at_s=now_s + pause_s, trouble=trouble)
        self._later[name] = after
        with self._control.write() as tx:
            # It may have been dropped meanwhile, because too many wait.
            if tx.document(documents.MESSAGE, name) is not None:
                documents.put_waiting(tx, name, after, now_s=now_s)
        del self._later[name]

    def _remove(self, name: str) -> None:
        with self._control.write() as tx:
            tx.remove_document(documents.MESSAGE, name)
        self._taken.discard(name)
        self._later.pop(name, None)

    def _count(self, counts: Counter[str], target: str) -> None:
        with self._lock:
            counts[target] += 1
