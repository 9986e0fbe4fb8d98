"""A hub in memory that is told its fleet by files, with rollouts that are only written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.core.errors import Conflict
from ganglion.hub.domain.fleet.specs import API_VERSION
from ganglion.hub.domain.rollouts.document import Rollout, Stage
from ganglion.hub.services.declared.declarations import Declarations
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.ports.hub_store import AssignmentRow, ReleaseRow
from ganglion.wire.apply_resources import ApplyReply, ApplyRequest, FleetResource, PlanLine
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings, RolloutRequest, RolloutView
from unit.hub.services.fleets import FleetAtHand


def resource(kind: str, name: str, **spec: object) -> FleetResource:
    """Return a resource as a file has it."""
    return FleetResource(api_version=API_VERSION, kind=kind, name=name, spec=dict(spec), source=f"{kind}/{name}.yaml:1")


@dataclass
class StartedRollouts:
    """Rollouts that were started; `refuses` makes the next one fail."""

    requests: list[RolloutRequest] = field(default_factory=list)
    refuses: str = ""

    def start(self, request: RolloutRequest, *, actor: str) -> RolloutView:
        """Write it down."""
        if self.refuses:
            raise Conflict(self.refuses)
        self.requests.append(request)
        return RolloutView(
            rollout_id=f"r{len(self.requests)}",
            model=request.model,
            version=request.version,
            state="running",
            stage=0,
            stages=[],
            reason=request.reason,
            created_at_s=0.0,
            updated_at_s=0.0,
        )


@dataclass
class DeclaredFleet(FleetAtHand):
    """A fleet in memory, and the service that applies files to it."""

    rollouts: StartedRollouts = field(default_factory=StartedRollouts)

    def __post_init__(self) -> None:
        FleetAtHand.__post_init__(self)
        self.declarations = Declarations(
            control=self.control, clock=self.clock, rollouts=self.rollouts, changed=self.woken.extend
        )

    def plan(self, *resources: FleetResource, prune: bool = False) -> ApplyReply:
        """Say what applying would do."""
        return self.declarations.plan(ApplyRequest(resources=list(resources), prune=prune))

    def apply(self, *resources: FleetResource, prune: bool = False, expected: str = "") -> ApplyReply:
        """Apply, as CI does."""
        request = ApplyRequest(resources=list(resources), prune=prune, expected=expected)
        return self.declarations.apply(request, actor="token:ci")

    def release(self, model: str, version: str) -> None:
        """Release a version."""
        row = ReleaseRow(model, version, "fp32", "any", "onnxruntime", f"{model}{version}", 10, b"{}", 1.0)
        with self.control.write() as tx:
            tx.add_release(row)

    def put_rollout(self, model: str, version: str) -> None:
        """Say that a rollout to the whole fleet is under way."""
        rollout = Rollout(
            rollout_id=f"{model}-{version}",
            model=model,
            version=version,
            stages=(Stage(share="100%", node_ids=(), started_at_s=1.0),),
            gate=GateSettings(),
            policy=DeploymentPolicy(),
            created_at_s=1.0,
            updated_at_s=1.0,
        )
        with self.control.write() as tx:
            rollout_rows.store(tx, rollout)

    def serve(self, model: str, version: str, names: Sequence[str]) -> None:
        """Say that nodes have a version."""
        with self.control.write() as tx:
            for name in names:
                tx.put_assignment(AssignmentRow(f"id-{name}", model, version, "fp32", "", b"{}"))

    def links(self) -> int:
        """Return how long the audit chain is."""
        with self.control.read() as tx:
            head = tx.audit_head("hub")
        return head.number if head else 0


def actions(reply: ApplyReply) -> Mapping[str, str]:
    """Return what is to be done with each resource."""
    return {f"{line.kind} {line.name}": line.action for line in reply.lines}


def differing(reply: ApplyReply) -> list[PlanLine]:
    """Return the lines that say a difference."""
    return [line for line in reply.lines if line.changes or line.action not in {"keep", "wait"}]
