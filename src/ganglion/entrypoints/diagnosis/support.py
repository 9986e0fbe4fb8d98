"""Packs what somebody needs to understand a node from afar: figures, settings, logs and signed metadata. No secrets.

Keys, tokens and payloads are never opened. What is packed goes through `node.domain.redaction` all the same, since a
person may have written a password where none belongs.
"""

import io
import platform
import tarfile
from collections.abc import Iterator
from importlib import metadata

import msgspec

from ganglion.adapters.kept_logs import LogQuery, LogReader
from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.diagnosis.doctor import doctor_report
from ganglion.entrypoints.diagnosis.findings import Examination, examine
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain import redaction
from ganglion.node.domain.update.reconcile import ModelState
from ganglion.node.services.identity import load_identity
from ganglion.node.services.places import Places
from ganglion.ports.clock import Clock, utc_s
from ganglion.wire import codec
from ganglion.wire.diagnosis import SupportDocument

LOG_BYTES_MAX = 150_000
"""Of the newest log lines: with everything else they fit into one answer over the link."""
_METADATA_BYTES_MAX = 8_000
_LOG = "log.jsonl"
_PARTS = ("ganglion", "onnxruntime", "numpy", "msgspec", "tuf", "cryptography", "uvloop")


def support_document(settings: NodeSettings, *, clock: Clock, log_bytes_max: int = LOG_BYTES_MAX) -> SupportDocument:
    """Return what a support bundle of this node holds. Raises: NotJoined, DataCorrupt: it has no readable identity."""
    places = Places(settings.data_path)
    identity = load_identity(places.identity)
    examination = examine(settings, clock=clock)
    files = {
        "identity.json": _json(identity),
        "versions.json": _json(_versions()),
        "settings.json": _json(settings),
        "doctor.json": _json(doctor_report(settings, clock=clock)),
        "state.json": _json(_state(examination)),
        "machine.json": _json(dict(examination.machine)),
        _LOG: "\n".join(_log(places, log_bytes_max)) + "\n",
        **dict(_metadata(places)),
    }
    shown = {name: redaction.redacted(text) for name, text in files.items()}
    return SupportDocument(node=identity.name, at_s=utc_s(clock), files=shown)


def fitted(document: SupportDocument, bytes_max: int) -> SupportDocument:
    """Return the document with so few of its oldest log lines that, encoded, it fits; lines full of quotes grow."""
    log = document.files[_LOG]
    while len(codec.encode_json(document)) > bytes_max and log:
        # The first line of the half may be cut in two, and goes.
        log = log[len(log) // 2 :].partition("\n")[2]
        document = msgspec.structs.replace(document, files={**document.files, _LOG: log})
    return document


def packed(document: SupportDocument) -> bytes:
    """Return a support document as a compressed archive, in one folder of the node's name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in sorted(document.files.items()):
            data = text.encode()
            member = tarfile.TarInfo(f"{document.node}/{name}")
            member.size, member.mode, member.mtime = len(data), 0o600, int(document.at_s)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def parsed(text: str) -> SupportDocument:
    """Read what a node sent. Raises: InvalidRequest: it is none, or names files outside the archive."""
    document = codec.decode_json(text.encode(), SupportDocument)
    wrong = [name for name in (*document.files, document.node) if not _is_plain(name)]
    if wrong:
        raise InvalidRequest(f"the node names a file {wrong[0][:80]!r}, which is not taken")
    return document


def _is_plain(name: str) -> bool:
    return name.replace("-", "").replace("_", "").replace(".", "").isalnum() and ".." not in name


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.platform()}
    for name in _PARTS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _state(examination: Examination) -> dict[str, object]:
    state, peeked = examination.state, examination.peeked
    return {
        "desired": None if state.desired is None else [state.desired.incarnation, state.desired.revision],
        "models": {name: _model(model) for name, model in sorted(state.models.items())},
        "serving": examination.status,
        "outbox": None if peeked is None else {"waiting": peeked.waiting, "bytes": peeked.waiting_bytes},
        "shed": examination.facts.shed,
        "commands": state.orders.answers,
        "audit_number": state.audit_number,
    }


def _model(model: ModelState) -> dict[str, object]:
    update = model.update
    return {
        "committed": model.committed,
        "spare": model.spare,
        "update": None if update is None else [update.assignment.version, update.state],
        "failed": None if model.failed is None else [model.failed.version, model.failed_reason],
    }


def _log(places: Places, bytes_max: int) -> list[str]:
    if not places.logs.exists():
        return []
    return LogReader(places.logs).read(LogQuery(lines_max=100_000, bytes_max=bytes_max))


def _metadata(places: Places) -> Iterator[tuple[str, str]]:
    """Yield the short pieces of signed metadata: who may sign, and until when what holds."""
    for name in ("root.json", "timestamp.json", "snapshot.json"):
        file = places.tuf_metadata / name
        if file.exists() and file.stat().st_size <= _METADATA_BYTES_MAX:
            yield f"metadata-{name}", file.read_text(encoding="utf-8", errors="replace")
