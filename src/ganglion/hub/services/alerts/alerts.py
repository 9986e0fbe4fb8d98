"""Alerts as people handle them: declare, look at, silence, forget."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import parse_name
from ganglion.hub.domain.alerts import conditions as alert_conditions
from ganglion.hub.domain.alerts.table import AlertPhase, Finding, Followed
from ganglion.hub.domain.declared.resources import Declared
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.hub.services.alerts import documents
from ganglion.hub.services.alerts.documents import AlertState, Line, Silence
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.declared import documents as declared_documents
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.places import Author
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.wire.alert_resources import AlertDefinition, AlertEntry, AlertSilence, AlertSubject, AlertView

SILENCE_S_MAX = 30 * 86_400.0
STATES = ("ok", "pending", "firing")
_REASON_MAX = 300
_STATE_OF = {
    AlertPhase.OK: "ok",
    AlertPhase.PENDING: "pending",
    AlertPhase.FIRING: "firing",
    # It is told to be over later: until then it fires.
    AlertPhase.CLEARING: "firing",
}


class Alerts:
    """Declares and shows them. Safe to use from many threads."""

    def __init__(self, *, control: ControlStore, clock: Clock, current: Callable[[str], Mapping[str, Finding]]) -> None:
        """`current` is what the last look found of an alert."""
        self._control, self._clock, self._current = control, clock, current

    def put(self, name: str, definition: AlertDefinition, *, actor: str) -> AlertView:
        """Declare an alert, or declare it anew.

        Raises: InvalidName, InvalidRequest, NotFound: there is no such group. Conflict: there are too many.
        """
        parse_name(name, what="Alert")
        spec = alert_conditions.checked(_spec_of(definition))
        with self._control.write() as tx:
            if spec.to:
                groups.group(tx, spec.to.removeprefix(alert_conditions.GROUP))
            declared_documents.put(tx, Declared("Alert", name, spec), by=Author(self._clock, actor))
            return self._view(tx, name)

    def remove(self, name: str, *, actor: str) -> None:
        """Forget an alert; who was told that it fires is told that it is over. Raises: NotFound."""
        with self._control.write() as tx:
            documents.definition(tx, name)
            declared_documents.remove(tx, "Alert", name, by=Author(self._clock, actor))

    def alert(self, name: str) -> AlertView:
        """Return an alert, and how it stands. Raises: NotFound."""
        with self._control.read() as tx:
            return self._view(tx, name)

    def views(self, *, state: str = "") -> list[AlertView]:
        """Return the alerts by name; of one state only, when it is given. Raises: InvalidRequest."""
        if state and state not in STATES:
            raise InvalidRequest(f"state: {', '.join(STATES)}")
        with self._control.read() as tx:
            views = [self._view(tx, name) for name in declared_documents.alerts(tx)]
        return [view for view in views if state in {"", view.state}]

    def spec(self, name: str) -> AlertSpec:
        """Return what an alert watches. Raises: NotFound."""
        with self._control.read() as tx:
            return documents.definition(tx, name)[0]

    def history(self, name: str) -> list[AlertEntry]:
        """Return what happened to an alert, newest first. Raises: NotFound."""
        with self._control.read() as tx:
            documents.definition(tx, name)
            lines = documents.history(tx, name)
        return [_entry(line) for line in reversed(lines)]

    def silence(self, name: str, wish: AlertSilence, *, actor: str) -> AlertView:
        """Tell nobody of an alert for a while; 0 seconds end that. Raises: NotFound, InvalidRequest."""
        if not 0.0 <= wish.for_s <= SILENCE_S_MAX:
            raise InvalidRequest(f"for_s: between 0 and {SILENCE_S_MAX:g}")
        if wish.for_s and not wish.reason.strip():
            raise InvalidRequest("reason: say why nobody is to be told")
        now_s, reason = utc_s(self._clock), wish.reason.strip()[:_REASON_MAX]
        with self._control.write() as tx:
            documents.definition(tx, name)
            silence = Silence(now_s + wish.for_s, actor, reason) if wish.for_s else None
            state = msgspec.structs.replace(documents.state(tx, name), silence=silence)
            documents.put_state(tx, name, state, now_s=now_s)
            event = "silenced" if silence else "unsilenced"
            text = f"for {alert_conditions.written(wish.for_s, 's')} by {actor}: {reason}" if silence else f"by {actor}"
            documents.note(tx, name, Line(at_s=now_s, event=event, text=text), now_s=now_s)
            facts = {"for_s": f"{wish.for_s:g}"} if silence else {}
            audit.note(
                tx, self._clock, Deed(actor=actor, action=f"alert.{event}", subject=name, reason=reason, facts=facts)
            )
            return self._view(tx, name)

    def firing(self) -> list[tuple[str, str, int]]:
        """Return the name and severity of each alert, and of how many subjects it fires."""
        with self._control.read() as tx:
            states = documents.states(tx)
            specs = declared_documents.alerts(tx)
        return [
            (name, spec.severity.value, sum(each.fired_at_s is not None for each in states[name].subjects.values()))
            if name in states
            else (name, spec.severity.value, 0)
            for name, (spec, _) in sorted(specs.items())
        ]

    def _view(self, tx: ControlTransaction, name: str) -> AlertView:
        spec, owner = documents.definition(tx, name)
        state = documents.state(tx, name)
        silence = state.silence if state.is_silenced(utc_s(self._clock)) else None
        found = self._current(name)
        return AlertView(
            name=name,
            state=_worst(state),
            definition=msgspec.convert(msgspec.to_builtins(spec), AlertDefinition),
            unit=alert_conditions.rule_of(spec).unit,
            owner=owner,
            subjects=[_subject(subject, each, found.get(subject)) for subject, each in state.subjects.items()],
            left_out=state.left_out,
            trouble=state.trouble,
            silenced_until_s=silence.until_s if silence else None,
            silenced_by=silence.by if silence else "",
            silence_reason=silence.reason if silence else "",
        )


def _spec_of(definition: AlertDefinition) -> AlertSpec:
    """Raises: InvalidRequest."""
    try:
        return msgspec.convert(asdict(definition), AlertSpec)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from error


def _worst(state: AlertState) -> str:
    found = {_STATE_OF[each.phase] for each in state.subjects.values()}
    return next((state for state in ("firing", "pending") if state in found), "ok")


def _subject(subject: str, followed: Followed, found: Finding | None) -> AlertSubject:
    return AlertSubject(
        subject=subject,
        state=followed.phase.value,
        since_s=followed.since_s,
        fired_at_s=followed.fired_at_s,
        value=found.value if found else followed.value,
        text=found.text if found else followed.text,
        is_told=followed.is_told,
    )


def _entry(line: Line) -> AlertEntry:
    return AlertEntry(
        at_s=line.at_s,
        event=line.event,
        subjects=list(line.subjects),
        count=line.count,
        text=line.text,
        is_silenced=line.is_silenced,
    )
