"""Two nodes, an envelope, people, and the service that stands between them."""

from ganglion.core.asciicast import CastHeader, CastKind, CastWriter
from ganglion.core.errors import NotFound
from ganglion.hub.domain.shells.limits import ShellRelayLimits
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.shells.shells import Shells
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.fleet_world import FleetWorld
from ganglion.trust.envelope import Envelope, Limits, NamedAction
from ganglion.trust.roles import Caller, Role
from ganglion.wire.shell_resources import ShellRequest
from ganglion.wire.shells import ShellTyped

ADA = Caller(name="ada", role=Role.ADMIN)
BO = Caller(name="bo", role=Role.ADMIN)
ANN = Caller(name="ann", role=Role.OPERATOR)
ALLOWED = Envelope(
    limits=Limits(actions=(NamedAction(name="shell", command=("/bin/sh",), roles=(Role.ADMIN,), time_s=600.0),))
)
REQUEST = ShellRequest(300, "camera is stuck")


class MemoryCasts(dict[str, bytes]):
    """Recordings by id."""

    def put(self, shell_id: str, data: bytes) -> None:
        self[shell_id] = data

    def content(self, shell_id: str) -> bytes:
        if shell_id not in self:
            raise NotFound("no recording")
        return self[shell_id]

    def remove(self, shell_id: str) -> None:
        self.pop(shell_id, None)


class World(FleetWorld):
    """Two nodes, an envelope, and people."""

    def __init__(self, limits: ShellRelayLimits | None = None) -> None:
        super().__init__()
        for name in ("gate-1", "gate-2", "gate-3"):
            self.join(name, site="north")
        self.envelope: Envelope | None = ALLOWED
        desired = Desired(
            control=self.control,
            repository_root_version=lambda: 1,
            changed=self.woken.extend,
            now_s=lambda: self.now_s,
        )
        self.settings = NodeSettings(
            control=self.control,
            desired=desired,
            clock=self.clock,
            chance=self.chance,
            envelope=lambda: self.envelope,
        )
        self.casts = MemoryCasts()
        self.shells = self.started(limits)

    def started(self, limits: ShellRelayLimits | None = None) -> Shells:
        """Return the service as after a start of the hub."""
        return Shells(
            control=self.control,
            node_settings=self.settings,
            recordings=self.casts,
            clock=self.clock,
            chance=self.chance,
            envelope=lambda: self.envelope,
            changed=self.woken.extend,
            limits=limits or ShellRelayLimits(),
        )

    def asked(self, node: str = "gate-1", by: Caller = ADA) -> str:
        return self.shells.ask(node, REQUEST, by).id

    def opened(self) -> str:
        """Return a session that the node came for, and in which the person typed."""
        shell_id = self.asked()
        self.shells.input_of("id-gate-1", shell_id, after=0)
        self.shells.type("gate-1", shell_id, ADA, ShellTyped(1, b"ls\r"))
        self.shells.input_of("id-gate-1", shell_id, after=1)
        return shell_id

    def deeds(self) -> list[str]:
        with self.control.read() as tx:
            return [row.action for row in reversed(tx.audit(AuditQuery())) if row.action.startswith("shell.")]

    def state(self, shell_id: str) -> str:
        return next(view.state for view in self.shells.sessions("gate-1") if view.id == shell_id)


def a_recording(text: str = "$ ") -> bytes:
    writer = CastWriter(CastHeader(width=80, height=24, timestamp=1))
    return writer.first + writer.line(CastKind.SHOWN, text.encode(), at_s=0.5)
