"""`ganglion alert`: be told when something is wrong."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli import rollout_options as options
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

if TYPE_CHECKING:
    from ganglion.wire.alert_resources import AlertView

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the alert.")]
_NONE_YET = "No alerts yet: `ganglion alert create NAME --when node_silent` makes one."
_FAILED = 1


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert as one line of a table."""

    name: str
    state: str
    severity: str
    condition: str
    subjects: int
    says: str


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An alert by itself."""

    name: str
    state: str
    severity: str
    condition: str
    limit: str
    about: str
    nodes: str
    of_model: str
    fires_after: str
    over_after: str
    description: str
    owner: str
    silenced: str
    trouble: str


@app.callback()
def alert() -> None:
    """Be told when something is wrong with the fleet."""


@hub_command(app, "create")
def create_alert(
    session: Session,
    name: Name,
    *,
    when: Annotated[str, typer.Option("--when", help="Condition, such as node_silent; docs/howto/be-told.md has all.")],
    limit: Annotated[float | None, typer.Option(help="From where on it is true; else the condition's own.")] = None,
    per: Annotated[str, typer.Option(metavar="node|site|fleet", help="What it is about.")] = "",
    at_least: Annotated[str, typer.Option(help="How many nodes of a site or of the fleet: 3, or 10%.")] = "1",
    to: options.To = "",
    select: options.Select = None,
    model: Annotated[str, typer.Option(help="Of one model alone.")] = "",
    check: Annotated[str, typer.Option(help="node_unwell: one health check alone, such as clock.")] = "",
    within_s: Annotated[float, typer.Option(min=0, help="How far back it looks; 0: the condition's own.")] = 0.0,
    for_s: Annotated[float, typer.Option(min=0, help="How long it must be true first.")] = 300.0,
    resolve_after_s: Annotated[float, typer.Option(min=0, help="How long it must be over to be over.")] = 300.0,
    severity: Annotated[str, typer.Option(metavar="info|warning|critical", help="How much it matters.")] = "warning",
    description: Annotated[str, typer.Option(help="What to do about it.")] = "",
) -> None:
    """Declare an alert, or declare it anew.

    Example: ganglion alert create silent --when node_silent --limit 900 --at-least 10%
    """
    from ganglion.core.errors import InvalidRequest
    from ganglion.wire.alert_resources import AlertCondition, AlertDefinition, Severity

    if when not in set(AlertCondition):
        raise InvalidRequest(f"--when: {when!r} is no condition; there are {', '.join(AlertCondition)}")
    if severity not in set(Severity):
        raise InvalidRequest(f"--severity: one of {', '.join(Severity)}")
    if limit is not None and not math.isfinite(limit):
        raise InvalidRequest("--limit: a finite number")
    definition = AlertDefinition(
        condition=AlertCondition(when),
        description=description,
        severity=Severity(severity),
        to=to,
        select=select,
        limit=limit,
        per=per,
        at_least=at_least,
        model=model,
        check=check,
        within_s=within_s,
        for_s=for_s,
        resolve_after_s=resolve_after_s,
    )
    _show(session, session.client.put_alert(name, definition))


@hub_command(app, "list")
def list_alerts(
    session: Session,
    state: Annotated[str, typer.Option(metavar="ok|pending|firing", help="Of this state alone.")] = "",
) -> None:
    """List alerts, and how they stand.

    Example: ganglion alert list --state firing
    """
    views = session.client.alerts(state=state)
    session.show(views, lines=[_line(each) for each in views], empty=f"No alert is {state}." if state else _NONE_YET)


@hub_command(app, "show")
def show_alert(session: Session, name: Name) -> None:
    """Show an alert, and what it is true of.

    Example: ganglion alert show silent
    """
    _show(session, session.client.alert(name))


@hub_command(app, "delete")
def delete_alert(session: Session, name: Name) -> None:
    """Forget an alert and its history.

    Example: ganglion alert delete silent
    """
    session.client.remove_alert(name)
    note(f"{name} is forgotten")


@hub_command(app, "history")
def alert_history(session: Session, name: Name) -> None:
    """List what happened to an alert, newest first.

    Example: ganglion alert history silent
    """
    session.show(session.client.alert_history(name), empty=f"Nothing has happened to {name} yet.")


@hub_command(app, "silence")
def silence_alert(
    session: Session,
    name: Name,
    hours: Annotated[float, typer.Option("--hours", min=0, help="For how long; 0 ends a silence.")] = 1.0,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the history.")] = "",
) -> None:
    """Tell nobody of an alert for a while. What still fires at the end is told then.

    Example: ganglion alert silence silent --hours 4 --reason "the line is being moved"
    """
    from ganglion.wire.alert_resources import AlertSilence

    session.client.silence_alert(name, AlertSilence(for_s=hours * 3600.0, reason=reason))
    note(f"{name} is silenced for {hours:g} h" if hours else f"{name} is not silenced any more")


@hub_command(app, "test")
def try_alert(session: Session, name: Name) -> None:
    """Send a test message to everybody whom the hub tells. It ends with 1 when one of them did not take it.

    Example: ganglion alert test silent
    """
    outcomes = session.client.try_alert(name)
    session.show(outcomes)
    if not all(each.is_delivered for each in outcomes):
        raise typer.Exit(_FAILED)


@hub_command(app, "targets")
def list_targets(session: Session) -> None:
    """List whom the hub tells, and what waits for them.

    Example: ganglion alert targets
    """
    session.show(
        session.client.alert_targets(), empty="The hub tells nobody: its setting hub.alerts.targets says whom."
    )


def _show(session: Session, view: "AlertView") -> None:
    session.show(view, lines=_record(view))
    if session.output is not OutputFormat.TABLE:
        return
    session.show(view.subjects, columns=("subject", "state", "fired_at_s", "text"), empty="It is true of nothing now.")
    if view.left_out:
        note(f"and of {view.left_out} more")


def _record(view: "AlertView") -> AlertRecord:
    from ganglion.entrypoints.cli.cells import moment

    told, until = view.definition, view.silenced_until_s
    limit = "" if told.limit is None else f"{told.limit:g} {view.unit}".strip()
    within = f", within {told.within_s:g} s" if told.within_s else ""
    return AlertRecord(
        name=view.name,
        state=view.state,
        severity=told.severity,
        condition=told.condition,
        limit=limit + within,
        about=f"each {told.per}" if told.per in {"node", "site"} else f"the {told.per or 'fleet'}",
        nodes=(told.to or told.select or "every node")
        + ("" if told.at_least == "1" else f", at least {told.at_least}"),
        of_model=told.model,
        fires_after=f"{told.for_s:g} s",
        over_after=f"{told.resolve_after_s:g} s",
        description=told.description,
        owner=view.owner,
        silenced=f"until {moment(until)} by {view.silenced_by}: {view.silence_reason}" if until else "",
        trouble=view.trouble,
    )


def _line(view: "AlertView") -> AlertLine:
    found = [each for each in view.subjects if each.fired_at_s is not None] or view.subjects
    says = view.trouble or next((f"{each.subject}: {each.text}" for each in found), "")
    state = f"{view.state}, silenced" if view.silenced_until_s else view.state
    return AlertLine(
        name=view.name,
        state=state,
        severity=view.definition.severity,
        condition=view.definition.condition,
        subjects=len(found) + view.left_out,
        says=says,
    )
