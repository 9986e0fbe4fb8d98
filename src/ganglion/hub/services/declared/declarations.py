"""A fleet that is declared in files: what it would take to make it so, and making it so.

Everything but rollouts is one transaction. Rollouts are started after it, each by its own rules: what is assigned waits
for its gate like any other version, and what a gate has ended is not started again by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from ganglion.core.errors import Conflict, GanglionError, InvalidRequest
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.domain.declared import fleet_plan
from ganglion.hub.domain.declared import resources as files
from ganglion.hub.domain.declared.fleet_plan import OWNER, Key, Present
from ganglion.hub.domain.declared.resources import Declared
from ganglion.hub.domain.fleet.specs import AssignmentSpec, Claims, RolloutPolicySpec, claims_of
from ganglion.hub.services.declared import documents as declared_documents
from ganglion.hub.services.declared import rollouts as declared_rollouts
from ganglion.hub.services.organisation.places import Author
from ganglion.ports.clock import Clock
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.wire.apply_resources import ApplyProblem, ApplyReply, ApplyRequest, PlanLine
from ganglion.wire.rollout_resources import RolloutRequest, RolloutView

log = structlog.get_logger(__name__)
_TOLD_MAX = 20


class StartsRollouts(Protocol):
    """What starts a rollout by all its rules."""

    def start(self, request: RolloutRequest, *, actor: str) -> RolloutView:
        """Start it. Raises: what `Rollouts.start` raises."""
        ...


Check = Callable[[ControlTransaction, PlanLine, Declared], None]
"""Refuses a line that somebody may not carry out: asked for what it makes and for what was there. Raises: Forbidden."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A plan with what it was drawn from."""

    lines: list[PlanLine]
    declared: dict[Key, Declared]
    problems: list[ApplyProblem]
    claims: Claims

    def reply(self, *, applied: bool = False) -> ApplyReply:
        return ApplyReply(
            applied=applied, digest=fleet_plan.digest(self.lines), lines=self.lines, problems=self.problems
        )


class Declarations:
    """Plans and applies. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        rollouts: StartsRollouts,
        changed: Callable[[Sequence[str]], None],
    ) -> None:
        """`changed` wakes the waiting questions of nodes."""
        self._control, self._clock, self._rollouts, self._changed = control, clock, rollouts, changed

    def plan(self, request: ApplyRequest, *, check: Check | None = None) -> ApplyReply:
        """Say what applying would do, with every problem. Raises: Forbidden."""
        with self._control.read() as tx:
            return _drawn(tx, request, check).reply()

    def apply(self, request: ApplyRequest, *, actor: str, check: Check | None = None) -> ApplyReply:
        """Make it so, or change nothing.

        Raises: Forbidden. InvalidRequest: some resource cannot be; all problems are told. Conflict: the plan is
        another by now than the one that was looked at.
        """
        by, touched = Author(self._clock, actor, owner=OWNER), list[str]()
        with self._control.write() as tx:
            drawn = _drawn(tx, request, check)
            _check_sound(drawn.problems)
            _check_expected(request, drawn)
            for line in drawn.lines:
                touched += _carried_out(tx, line, drawn, by)
        self._changed(sorted(set(touched)))
        lines = [self._started(line, drawn, actor) if line.action == "start" else line for line in drawn.lines]
        return replace(drawn.reply(applied=True), lines=lines)

    def policies(self) -> dict[str, tuple[RolloutPolicySpec, str]]:
        """Return the policies of rollouts by name, each with its owner."""
        with self._control.read() as tx:
            return declared_documents.policies(tx)

    def _started(self, line: PlanLine, drawn: _Drawn, actor: str) -> PlanLine:
        spec = drawn.declared[line.kind, line.name].spec
        assert isinstance(spec, AssignmentSpec), "only assignments start rollouts"
        try:
            with self._control.read() as tx:
                policy = declared_documents.policy(tx, spec.policy) if spec.policy else None
            request = files.request_of(spec, policy, reason=f"declared by the assignment {line.name}")
            rollout = self._rollouts.start(request, actor=actor)
        except GanglionError as error:
            # The rest is done and stays; the next apply tries this again.
            log.warning("assignment.not_started", assignment=line.name, code=error.code, reason=error.message)
            return replace(line, action="wait", note=f"not started: {error.message}")
        return replace(line, note=f"rollout {rollout.rollout_id} is {rollout.state}")


def _drawn(tx: ControlTransaction, request: ApplyRequest, check: Check | None) -> _Drawn:
    found, problems = files.parse(request.resources)
    present = declared_documents.present(tx, found)
    there = [key for key in present if not (request.prune and present[key].owner == OWNER)]
    problems = [*problems, *files.dangling(found, there), *declared_documents.unfit(tx, found)]
    declared = {each.key: each for each in found}
    lines = fleet_plan.plan(found, present, prune=request.prune)
    lines = [_with_rollout(tx, line, declared) for line in lines]
    for line in filter(_is_to_do, lines):
        if check is not None:
            _check_allowed(tx, line, _concerned(line, declared, present), check)
    return _Drawn(lines, declared, problems, _claims(lines, declared, present))


def _with_rollout(tx: ControlTransaction, line: PlanLine, declared: dict[Key, Declared]) -> PlanLine:
    """Return the line of an assignment with what its rollout stands at; other lines as they are."""
    each = declared.get((line.kind, line.name))
    if each is None or not isinstance(each.spec, AssignmentSpec):
        return line
    return declared_rollouts.judged(tx, line, each.spec, declared)


def _is_to_do(line: PlanLine) -> bool:
    """Say whether a line is more than a look: one that waits for a rollout is kept as it was declared."""
    return bool(line.changes) or line.action not in {"keep", "wait"}


def _concerned(line: PlanLine, declared: dict[Key, Declared], present: dict[Key, Present]) -> list[Declared]:
    """Return what a line makes, and what it takes the place of: that may be somebody else's."""
    key = line.kind, line.name
    after = [declared[key]] if key in declared else []
    return after + ([declared_documents.restored(*key, present[key])] if key in present else [])


def _check_allowed(tx: ControlTransaction, line: PlanLine, concerned: Sequence[Declared], check: Check) -> None:
    """Raises: Forbidden: with the place of the resource, for a file has many."""
    try:
        for each in concerned:
            check(tx, line, each)
    except Forbidden as error:
        raise Forbidden(
            f"{line.source or 'no file has it any more'}: {line.kind} {line.name}: {error.message}"
        ) from error


def _claims(lines: Sequence[PlanLine], declared: dict[Key, Declared], present: dict[Key, Present]) -> Claims:
    """Return the settings that something declares when all is done."""
    gone = {(line.kind, line.name) for line in lines if line.action == "remove"}
    stays = [key for key in present if key[0] == "Settings" and key not in gone and key not in declared]
    after = [*declared.values(), *(declared_documents.restored(*key, present[key]) for key in stays)]
    return claims_of(each.spec for each in after)


def _carried_out(tx: ControlTransaction, line: PlanLine, drawn: _Drawn, by: Author) -> list[str]:
    """Store what a line says; return the nodes that it reaches."""
    if line.action == "remove":
        return declared_documents.remove(tx, line.kind, line.name, by=by, claims=drawn.claims)
    if not _is_to_do(line):
        return []
    return declared_documents.put(tx, drawn.declared[line.kind, line.name], by=by, claims=drawn.claims)


def _check_sound(problems: Sequence[ApplyProblem]) -> None:
    if problems:
        told = [": ".join(filter(None, (each.source or each.name, each.path, each.reason))) for each in problems]
        told = told[:_TOLD_MAX]
        more = f"; and {len(problems) - _TOLD_MAX} more" if len(problems) > _TOLD_MAX else ""
        raise InvalidRequest("; ".join(told) + more)


def _check_expected(request: ApplyRequest, drawn: _Drawn) -> None:
    if request.expected and request.expected != fleet_plan.digest(drawn.lines):
        raise Conflict("the fleet is another by now than in the plan that was looked at: look again")
