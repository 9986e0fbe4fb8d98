"""What people order of a rollout: one command each. `rollout` registers them."""

from typing import Annotated

import typer

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.entrypoints.cli.context import Session
from ganglion.entrypoints.cli.rollout_show import show_rollout

RolloutName = Annotated[
    str,
    typer.Argument(
        metavar="ROLLOUT_ID", help="Id of the rollout, or its beginning; or MODEL:VERSION, the newest rollout of it."
    ),
]
_ID_LENGTH = 32
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the history.")]
StageNumber = Annotated[
    int | None, typer.Option("--stage", min=1, help="Which stage may start, counted from 1; otherwise the next.")
]


def named(session: Session, text: str) -> str:
    """Return the id of the rollout that a person means: an id, the beginning of one, or MODEL:VERSION.

    Raises: InvalidRequest: several ids begin so. NotFound: nothing of this MODEL:VERSION was rolled out.
    """
    if len(text) >= _ID_LENGTH:
        return text
    model, colon, version = text.partition(":")
    rollouts = session.client.rollouts()
    if colon:
        of_version = [each.rollout_id for each in rollouts if (each.model, each.version) == (model, version)]
        if not of_version:
            raise NotFound(f"{text} has no rollout")
        return of_version[0]
    found = [each.rollout_id for each in rollouts if each.rollout_id.startswith(text)]
    if len(found) > 1:
        raise InvalidRequest(f"{len(found)} rollouts have an id that begins with {text!r}: say more of it")
    return found[0] if found else text


def pause(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Start no further stage until it is resumed.

    Example: ganglion rollout pause ROLLOUT_ID --reason "site visit"
    """
    show_rollout(session, session.client.act_on_rollout(named(session, rollout_id), "pause", reason=reason))


def resume(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Go on with a paused rollout.

    Example: ganglion rollout resume ROLLOUT_ID
    """
    show_rollout(session, session.client.act_on_rollout(named(session, rollout_id), "resume", reason=reason))


def abort(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Stop for good: each node goes back to its previous version.

    Example: ganglion rollout abort ROLLOUT_ID --reason "wrong labels"
    """
    show_rollout(session, session.client.act_on_rollout(named(session, rollout_id), "abort", reason=reason))


def promote(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Go to the next stage now, whatever the gate says.

    Example: ganglion rollout promote ROLLOUT_ID --reason "looked at by hand"
    """
    # The stage that is left is named, so that the gate and two people who promote at once skip none.
    rollout_id = named(session, rollout_id)
    stage = session.client.rollout(rollout_id).stage
    show_rollout(session, session.client.act_on_rollout(rollout_id, "promote", reason=reason, stage=stage))


def approve(session: Session, rollout_id: RolloutName, stage: StageNumber = None, reason: Reason = "") -> None:
    """Let a stage start.

    Whoever started the rollout cannot approve it, and nobody counts twice.

    Example: ganglion rollout approve ROLLOUT_ID --stage 2
    """
    index = None if stage is None else stage - 1
    show_rollout(
        session, session.client.act_on_rollout(named(session, rollout_id), "approve", reason=reason, stage=index)
    )


def skip(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Leave the silent nodes of this stage behind.

    The gate judges by the others from now on.

    Example: ganglion rollout skip ROLLOUT_ID --reason "the ship is at sea"
    """
    show_rollout(session, session.client.act_on_rollout(named(session, rollout_id), "skip", reason=reason))


def retry(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Give failed and silent nodes the version again.

    They are those of the stages so far that rolled back or never reported.

    Example: ganglion rollout retry ROLLOUT_ID --reason "disks were full"
    """
    show_rollout(session, session.client.act_on_rollout(named(session, rollout_id), "retry", reason=reason))
