"""Looks at what alerts watch, moves them, and notes whom people are to be told of: all of one look in one transaction.

A look that took long is followed by a pause that is much longer, so that a large fleet does not keep its hub busy with
looking at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec
import structlog

from ganglion.hub.domain.alerts import messages as alert_messages
from ganglion.hub.domain.alerts import table as alert_table
from ganglion.hub.domain.alerts.alerting import Watch
from ganglion.hub.domain.alerts.messages import FIRING, RESOLVED
from ganglion.hub.domain.alerts.table import Finding, Followed, Step, Terms
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.hub.services.alerts import documents
from ganglion.hub.services.alerts.documents import AlertState, Line, Waiting
from ganglion.hub.services.alerts.facts import AlertFacts, Found
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.declared import documents as declared_documents
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.wire.alert_resources import Severity

HUB = "hub"
_NUMBER = "alert_messages"
_NAMED_MAX = 20
_GAP_LOOKS = 5
"""A longer time between two looks counts as so many looks: nobody knows what was true in between."""
_REST = 19.0
"""After a look the hub rests for so many times as long as it took."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookSettings:
    """How often to look, and how many messages may wait."""

    look_s: float = 60.0
    """Time between two looks, as a rule."""
    queue_max: int = 1000
    """Messages that wait; beyond, the oldest is dropped."""


@dataclass(slots=True)
class _Turn:
    """One look: when it was, and what it has to say when everything is stored."""

    now_s: float
    elapsed_s: float
    log_lines: list[tuple[str, dict[str, object]]] = field(default_factory=list)


class AlertLooks:
    """Looks and stores. `tick` is called by one thread; `current` by any."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        chance: Chance,
        facts: AlertFacts,
        targets: Mapping[str, Severity],
        settings: LookSettings,
    ) -> None:
        """`targets` says from which severity on each of them is told."""
        self._control, self._clock, self._facts = control, clock, facts
        self._new_id = partial(new_id, chance)
        self._targets, self._settings = targets, settings
        self._looked_at_s: float | None = None
        self._rests_until_s = 0.0
        self._current: Mapping[str, Mapping[str, Finding]] = {}

    def tick(self) -> None:
        """Look at everything once, unless the last look took so long that it is not time yet."""
        began_s = self._clock.monotonic_s()
        if self._looked_at_s is not None and began_s < self._rests_until_s:
            return
        elapsed_s = 0.0 if self._looked_at_s is None else began_s - self._looked_at_s
        with self._control.read() as tx:
            specs = {name: spec for name, (spec, _) in declared_documents.alerts(tx).items()}
            states = documents.states(tx)
        watches = {name: Watch(spec, frozenset(_state(states, name).subjects)) for name, spec in specs.items()}
        found = self._facts.gather(watches)
        turn = _Turn(utc_s(self._clock), min(elapsed_s, _GAP_LOOKS * self._settings.look_s))
        self._store(specs, found, turn)
        self._current = {name: each.findings for name, each in found.items()}
        self._looked_at_s = began_s
        took_s = self._clock.monotonic_s() - began_s
        self._rests_until_s = began_s + took_s * (1.0 + _REST)

    def current(self, name: str) -> Mapping[str, Finding]:
        """Return what the last look found of an alert."""
        return self._current.get(name, {})

    def _store(self, specs: Mapping[str, AlertSpec], found: Mapping[str, Found], turn: _Turn) -> None:
        with self._control.read() as tx:
            states = documents.states(tx)
        if states.keys() <= specs.keys() and all(
            _after(_state(states, name), spec, found[name], turn)[0] == _state(states, name)
            for name, spec in specs.items()
        ):
            return
        with self._control.write() as tx:
            # A person may have changed or silenced one meanwhile: what counts is what stands there now.
            defined = {name: spec for name, (spec, _) in declared_documents.alerts(tx).items()}
            states = documents.states(tx)
            for name in sorted(states.keys() - defined.keys()):
                self._remove(tx, name, states[name], turn)
            for name, spec in defined.items():
                if specs.get(name) == spec:
                    self._move(tx, name, spec, _state(states, name), found=found[name], turn=turn)
            self._shorten(tx)
        for event, facts in turn.log_lines:
            log.warning(event, **facts)

    def _move(
        self, tx: ControlTransaction, name: str, spec: AlertSpec, before: AlertState, *, found: Found, turn: _Turn
    ) -> None:
        after, step = _after(before, spec, found, turn)
        if after != before:
            documents.put_state(tx, name, after, now_s=turn.now_s)
        if step is None:
            return
        if step.fired:
            fired = {subject: step.subjects[subject] for subject in step.fired}
            self._note(tx, name, "fired", fired, spec=spec, turn=turn, is_silenced=after.is_silenced(turn.now_s))
        if step.ended:
            self._note(tx, name, "resolved", step.ended, spec=spec, turn=turn)
        told = {subject: step.subjects[subject] for subject in step.told}
        over = {subject: each for subject, each in step.ended.items() if each.is_told}
        for event, subjects in ((FIRING, told), (RESOLVED, over)):
            if subjects:
                self._tell(tx, event, name, spec, subjects=subjects, now_s=turn.now_s)

    def _remove(self, tx: ControlTransaction, name: str, state: AlertState, turn: _Turn) -> None:
        """Forget an alert that is gone; who was told that it fires is told that it is over."""
        over = {subject: each for subject, each in state.subjects.items() if each.is_told}
        if over:
            assert state.spec is not None, "it is kept with the subjects"
            self._tell(tx, RESOLVED, name, state.spec, subjects=over, now_s=turn.now_s)
        documents.forget(tx, name)

    def _note(
        self,
        tx: ControlTransaction,
        name: str,
        event: str,
        subjects: Mapping[str, Followed],
        *,
        spec: AlertSpec,
        turn: _Turn,
        is_silenced: bool = False,
    ) -> None:
        """Write it into the history and the audit chain, and for the log."""
        text, named = alert_messages.in_words(subjects), tuple(sorted(subjects)[:_NAMED_MAX])
        line = Line(
            at_s=turn.now_s, event=event, subjects=named, count=len(subjects), text=text, is_silenced=is_silenced
        )
        documents.note(tx, name, line, now_s=turn.now_s)
        facts = {"severity": spec.severity.value, "condition": spec.condition.value, "count": str(len(subjects))}
        audit.note(tx, self._clock, Deed(actor=HUB, action=f"alert.{event}", subject=name, reason=text, facts=facts))
        turn.log_lines.append((f"alert.{event}", {"alert": name, "text": text, "silenced": is_silenced, **facts}))

    def _tell(
        self,
        tx: ControlTransaction,
        event: str,
        name: str,
        spec: AlertSpec,
        *,
        subjects: Mapping[str, Followed],
        now_s: float,
    ) -> None:
        """Put a message in the queue of each target that wants to hear of it."""
        message_id = self._new_id()
        body = alert_messages.body(
            alert_messages.compose(message_id, event, name, spec, subjects=subjects, now_s=now_s)
        )
        for target, least in sorted(self._targets.items()):
            if alert_messages.reaches(spec.severity, least):
                waiting = Waiting(target=target, message_id=message_id, body=body, created_at_s=now_s, due_at_s=now_s)
                documents.put_waiting(tx, _queued(tx, message_id, target), waiting, now_s=now_s)

    def _shorten(self, tx: ControlTransaction) -> None:
        """Drop the oldest messages of a queue that is full."""
        waiting = tx.documents(documents.MESSAGE)
        for row in waiting[: max(0, len(waiting) - self._settings.queue_max)]:
            tx.remove_document(documents.MESSAGE, row.name)
            log.error("alert.message_dropped", message=row.name, reason="too many messages wait")


def _state(states: Mapping[str, AlertState], name: str) -> AlertState:
    return states.get(name) or AlertState()


def _after(before: AlertState, spec: AlertSpec, found: Found, turn: _Turn) -> tuple[AlertState, Step | None]:
    """Return how an alert stands after a look; without a step when nothing could be looked at."""
    silence = before.silence if before.is_silenced(turn.now_s) else None
    if found.trouble:
        return msgspec.structs.replace(before, trouble=found.trouble, silence=silence), None
    terms = Terms(for_s=spec.for_s, resolve_after_s=spec.resolve_after_s, is_silenced=silence is not None)
    step = alert_table.step(before.subjects, found.findings, terms, elapsed_s=turn.elapsed_s, now_s=turn.now_s)
    after = AlertState(
        subjects=dict(step.subjects),
        left_out=found.left_out,
        silence=silence,
        spec=spec if step.subjects else None,
    )
    return after, step


def _queued(tx: ControlTransaction, message_id: str, target: str) -> str:
    """Return a name by which messages stand in the order in which they were written, whatever the clock says."""
    number = int(tx.meta(_NUMBER) or "0") + 1
    tx.set_meta(_NUMBER, str(number))
    return f"{number:012d}-{message_id}-{target}"
