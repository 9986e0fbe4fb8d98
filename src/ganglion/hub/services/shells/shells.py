"""Interactive sessions at the hub: who asked for one, what is on its way between person and node, and its recording.

The hub decides little here: the node obeys its own settings and its envelope. What is on its way is in memory alone;
a hub that is started again knows who had which session, and nodes close theirs.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from ganglion.core import asciicast
from ganglion.core.errors import Conflict, InvalidRequest, NotFound, TooLarge
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.domain.nodes import orders
from ganglion.hub.domain.shells.limits import ShellRelayLimits
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.nodes import settings_documents
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.shells.live_shells import LiveShell, LiveShells, ShellRow, Stand, unknown
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, DocumentRow
from ganglion.ports.shell_store import CastStore
from ganglion.trust import shell
from ganglion.trust.envelope import Envelope
from ganglion.trust.roles import Caller, Right
from ganglion.trust.shell import ShellWish
from ganglion.wire.node_resources import CommandRequest
from ganglion.wire.shell_resources import ShellRequest, ShellView
from ganglion.wire.shells import WHY_CLOSED, ShellInput, ShellOutput, ShellRecording, ShellTyped

KIND = "shell"
_DONE = "done"
_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to show, or where the session stands."""

    data: bytes
    stand: Stand
    closed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellKeys:
    """What waiting questions of a session are known by."""

    typed: str
    taken: str
    shown: str
    room: str


def keys_of(shell_id: str) -> ShellKeys:
    """Return under which names somebody waits: for input, for its being taken, for output, for room for it."""
    typed, taken, shown, room = (f"{KIND}:{shell_id}:{what}" for what in ("typed", "taken", "shown", "room"))
    return ShellKeys(typed=typed, taken=taken, shown=shown, room=room)


class Shells:
    """Stands between people and nodes. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        node_settings: NodeSettings,
        recordings: CastStore,
        clock: Clock,
        chance: Chance,
        envelope: Callable[[], Envelope | None],
        changed: Callable[[Sequence[str]], None],
        limits: ShellRelayLimits,
    ) -> None:
        """`changed` wakes the questions that wait under these keys."""
        self._control, self._node_settings, self._recordings = control, node_settings, recordings
        self._clock, self._chance, self._envelope = clock, chance, envelope
        self._changed, self._limits = changed, limits
        self._live = LiveShells(clock=clock, limits=limits)

    # --- people -----------------------------------------------------------------------------------

    def ask(self, name: str, request: ShellRequest, caller: Caller) -> ShellView:
        """Ask a node for a session. Raises: NotFound, InvalidRequest, Forbidden, Conflict, Overloaded."""
        if caller.kind != "account":
            raise Forbidden("a shell is for a person; no program's token can have one")
        wish = ShellWish(seconds=request.seconds, reason=request.reason, columns=request.columns, rows=request.rows)
        arguments, role = shell.arguments_of(wish), caller.role.value
        orders.check_shell(wish, self._envelope(), person=caller.actor, role=role)
        row = self._row_for(name, wish, caller)
        self._end_silent()
        with self._live.guard:
            self._live.begin(row)
        try:
            with self._control.write() as tx:
                self._forget_oldest(tx)
                _put(tx, row)
                self._note(tx, caller.actor, "shell.asked", row, seconds=str(wish.seconds), role=role)
            order = CommandRequest(shell.NAME, expires_in_s=shell.ORDER_LIFE_S, arguments=list(arguments))
            self._node_settings.hand_out(name, order, row.id, actor=caller.actor, role=role)
        except BaseException:
            with self._live.guard:
                self._live.drop(row.id)
            raise
        return self._view(row)

    def sessions(self, name: str) -> list[ShellView]:
        """Return the sessions of a node, newest first."""
        with self._control.read() as tx:
            rows = [row for each in tx.documents(KIND) if (row := _row(each)).node == name]
        return [self._view(row) for row in sorted(rows, key=lambda row: row.asked_at_s, reverse=True)]

    def shown(self, name: str, shell_id: str, caller: Caller, *, after: int, known: str) -> Shown | None:
        """Return what the session showed after so many bytes, or where it stands when that is not as `known`.

        None: nothing is new. Raises: NotFound, Forbidden, InvalidRequest.
        """
        self._end_silent()
        with self._live.guard:
            live = self._live.own(name, shell_id, caller)
            data, stand = live.output.after(after), live.stand
        self._changed([keys_of(shell_id).room])
        if data:
            return Shown(data, Stand.OPEN, "")
        # That it is over is said when there is nothing left to read before it.
        return Shown(b"", stand, live.row.closed_by) if stand != known else None

    def type(self, name: str, shell_id: str, caller: Caller, typed: ShellTyped) -> bool:
        """Keep what the person did for the node. False: there is no room yet. Raises: NotFound, Forbidden."""
        with self._live.guard:
            live = self._live.own(name, shell_id, caller)
            if live.stand is Stand.CLOSED:
                return True
            is_taken = live.input.put(typed)
        self._changed([keys_of(shell_id).typed])
        return is_taken

    def close(self, name: str, shell_id: str, caller: Caller) -> None:
        """Let the node end the session. Whoever has it may, and administrators. Raises: NotFound, Forbidden."""
        with self._live.guard:
            live = self._live.of_place(name, shell_id)
            if live.row.person != caller.actor and not caller.has(Right.ADMINISTER):
                raise Forbidden(f"this session is one of {live.row.person}")
            live.has_left, was_asked = True, live.stand is Stand.ASKED
        with self._control.write() as tx:
            self._note(tx, caller.actor, "shell.left", live.row)
        if was_asked:
            # The node has not come, and need not: it finds no session when it does.
            self._close(live, self._why_not_come(live.row), actor=caller.actor)
        self._changed([keys_of(shell_id).typed])

    def recording(self, name: str, shell_id: str, caller: Caller) -> bytes:
        """Return the recording, to whoever had the session and to administrators. It is written down who looked.

        Raises: NotFound, Forbidden: it may hold what another person typed blindly.
        """
        row = self._stored(shell_id)
        if row.node != name:
            raise unknown(shell_id)
        if row.person != caller.actor and not caller.has(Right.ADMINISTER):
            raise Forbidden(f"this session was one of {row.person}")
        content = self._recordings.content(shell_id)
        with self._control.write() as tx:
            self._note(tx, caller.actor, "shell.replayed", row)
        return content

    # --- nodes ------------------------------------------------------------------------------------

    def take_output(self, node_id: str, shell_id: str, output: ShellOutput) -> int:
        """Take what a session showed; return up to where it is here.

        Raises: NotFound: it is over. InvalidRequest: there is a gap, or no such reason to end.
        """
        with self._live.guard:
            live = self._live.of_node(node_id, shell_id)
            received = live.output.take(output.offset, output.data)
        if output.closed_by:
            self._close(live, output.closed_by, output.recording_sha256, actor=f"node:{live.row.node}")
        self._changed([keys_of(shell_id).shown])
        return received

    def input_of(self, node_id: str, shell_id: str, *, after: int) -> ShellInput | None:
        """Return what the person did since; None: nothing yet. Raises: NotFound: the session is over."""
        with self._live.guard:
            live = self._live.of_node(node_id, shell_id)
            if live.stand is Stand.CLOSED:
                raise unknown(shell_id)
            before = live.stand
            live.stand = Stand.OPEN if after else Stand.OFFERED if before is Stand.ASKED else before
            typed, has_left = live.input.after(after), live.is_left(self._live.now_s)
            if live.stand is Stand.OPEN and before is not Stand.OPEN:
                self._opened(live)
        keys = keys_of(shell_id)
        self._changed([keys.taken] if live.stand is before else [keys.taken, keys.shown])
        return ShellInput(typed, has_left) if typed or has_left else None

    def take_recording(self, node_id: str, shell_id: str, recording: ShellRecording) -> None:
        """Keep the recording of a session that is over. The same one again changes nothing.

        Raises: NotFound, TooLarge, InvalidRequest: it is no recording. Conflict: another one was told of before.
        """
        row = self._stored(shell_id)
        if row.node_id != node_id:
            raise unknown(shell_id)
        if len(recording.recording) > self._limits.recording_bytes_max:
            raise TooLarge(f"hub.shells.recording_bytes_max = {self._limits.recording_bytes_max} allows no more")
        digest = hashlib.sha256(recording.recording).hexdigest()
        if row.recording_bytes and row.recording_sha256 == digest:
            return
        if row.recording_sha256 not in {"", digest}:
            raise Conflict("the node told of another recording of this session before")
        asciicast.read(recording.recording)
        self._end_with(row, _known(recording.closed_by), digest)
        row = self._stored(shell_id)
        closed_by = row.closed_by or recording.closed_by
        self._recordings.put(shell_id, recording.recording)
        kept = msgspec.structs.replace(
            row,
            closed_by=closed_by,
            closed_at_s=row.closed_at_s or utc_s(self._clock),
            recording_sha256=digest,
            recording_bytes=len(recording.recording),
        )
        with self._control.write() as tx:
            _put(tx, kept)
            facts = {"sha256": digest, "closed_by": closed_by, "person": row.person}
            facts["seconds"] = f"{recording.seconds:.1f}"
            self._note(tx, f"node:{row.node}", "shell.recorded", kept, **facts)

    # --- parts ------------------------------------------------------------------------------------

    def _row_for(self, name: str, wish: ShellWish, caller: Caller) -> ShellRow:
        with self._control.read() as tx:
            node = tx.node_by_name(name)
        if node is None:
            raise NotFound(f"no node is named {name[:80]!r}")
        return ShellRow(
            id=new_id(self._chance),
            node_id=node.node_id,
            node=node.name,
            person=caller.actor,
            role=caller.role.value,
            reason=wish.reason,
            seconds=wish.seconds,
            asked_at_s=utc_s(self._clock),
        )

    def _opened(self, live: LiveShell) -> None:
        live.row = msgspec.structs.replace(live.row, opened_at_s=utc_s(self._clock))
        with self._control.write() as tx:
            _put(tx, live.row)
            actor = f"node:{live.row.node}"
            self._note(tx, actor, "shell.opened", live.row, person=live.row.person, role=live.row.role)

    def _close(self, live: LiveShell, closed_by: str, sha256: str = "", *, actor: str) -> None:
        why, digest = _known(closed_by), _digest(sha256)
        with self._live.guard:
            if live.stand is Stand.CLOSED:
                return
            now_s = utc_s(self._clock)
            row = msgspec.structs.replace(live.row, closed_at_s=now_s, closed_by=why, recording_sha256=digest)
            live.close(row, self._live.now_s)
        with self._control.write() as tx:
            _put(tx, row)
            self._note(tx, actor, "shell.closed", row, person=row.person, closed_by=why, sha256=digest)

    def _end_with(self, row: ShellRow, closed_by: str, digest: str) -> None:
        """End a session whose recording is there: an agent that was cut off could not tell of its end."""
        with self._live.guard:
            try:
                live = self._live.of_node(row.node_id, row.id)
            except NotFound:
                return
        self._close(live, closed_by, digest, actor=f"node:{row.node}")
        self._changed([keys_of(row.id).shown])

    def _end_silent(self) -> None:
        with self._live.guard:
            silent = self._live.silent()
        for live in silent:
            self._close(live, "link_lost", actor="hub")

    def _why_not_come(self, row: ShellRow) -> str:
        """Return why a node has not come for a session: it refused the order, or the person did not wait."""
        with self._control.read() as tx:
            answers = [each.answer for each in settings_documents.commands(tx) if each.command.id == row.id]
        return "refused" if any(answer not in {"", _DONE} for answer in answers) else "left"

    def _forget_oldest(self, tx: ControlTransaction) -> None:
        rows = sorted(map(_row, tx.documents(KIND)), key=lambda row: row.asked_at_s)
        for row in rows[: max(0, len(rows) + 1 - self._limits.recordings_max)]:
            tx.remove_document(KIND, row.id)
            self._recordings.remove(row.id)

    def _stored(self, shell_id: str) -> ShellRow:
        with self._control.read() as tx:
            document = tx.document(KIND, shell_id)
        if document is None:
            raise unknown(shell_id)
        return _row(document)

    def _view(self, row: ShellRow) -> ShellView:
        stand = Stand.CLOSED if row.closed_by else self._live.stand_of(row.id) or Stand.LOST
        fields = {name: getattr(row, name) for name in row.__struct_fields__ if name != "node_id"}
        return ShellView(state=stand.value, **fields)

    def _note(self, tx: ControlTransaction, actor: str, action: str, row: ShellRow, **facts: str) -> None:
        deed = Deed(actor=actor, action=action, subject=row.node, reason=row.reason, facts={"session": row.id, **facts})
        audit.note(tx, self._clock, deed)


def _put(tx: ControlTransaction, row: ShellRow) -> None:
    at_s = row.closed_at_s or row.opened_at_s or row.asked_at_s
    tx.put_document(DocumentRow(KIND, row.id, msgspec.json.encode(row), at_s))


def _row(document: DocumentRow) -> ShellRow:
    return msgspec.json.decode(document.document, type=ShellRow)


def _known(closed_by: str) -> str:
    """Return a reason that there is: a node's own words are not repeated."""
    if closed_by not in WHY_CLOSED:
        raise InvalidRequest(f"{closed_by[:40]!r} is no reason for which a session ends")
    return closed_by


def _digest(sha256: str) -> str:
    """Return what can be a digest, or nothing."""
    is_digest = len(sha256) == _SHA256_DIGITS and set(sha256) <= set("0123456789abcdef")
    return sha256 if is_digest else ""
