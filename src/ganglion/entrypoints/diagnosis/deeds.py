"""What a node tells of itself when a signed order asks: health, logs, what its doctor finds, a support bundle."""

from collections.abc import Callable, Mapping
from functools import partial

import anyio.to_thread

from ganglion.adapters.kept_logs import LogReader
from ganglion.core.errors import TooLarge
from ganglion.entrypoints.diagnosis import questions
from ganglion.entrypoints.diagnosis.doctor import doctor_report
from ganglion.entrypoints.diagnosis.findings import health_report
from ganglion.entrypoints.diagnosis.support import fitted, support_document
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain import redaction
from ganglion.node.services.orders.orders import Deed, Told
from ganglion.node.services.places import Places
from ganglion.ports.clock import Clock, utc_s
from ganglion.wire import codec
from ganglion.wire.desired import NodeCommand
from ganglion.wire.diagnosis import HealthReport, SupportDocument

OUTPUT_BYTES_MAX = 262_144
"""As much as any action may write."""


def looks(settings: NodeSettings, clock: Clock) -> Mapping[str, Deed]:
    """Return the deeds by the names of their orders."""
    return {
        "health": _told(lambda _: _json(health_report(settings, clock=clock))),
        "doctor": _told(lambda _: _json(doctor_report(settings, clock=clock))),
        "logs": _told(partial(_logs, settings, clock)),
        "support-bundle": _told(lambda _: _json(fitted(support_document(settings, clock=clock), OUTPUT_BYTES_MAX))),
    }


def _json(document: HealthReport | SupportDocument) -> str:
    return codec.encode_json(document).decode()


def _logs(settings: NodeSettings, clock: Clock, command: NodeCommand) -> str:
    query = questions.from_arguments(command.arguments, now_s=utc_s(clock))
    folder = Places(settings.data_path).logs
    lines = LogReader(folder).read(query) if folder.exists() else []
    return redaction.redacted("".join(f"{line}\n" for line in lines))


def _told(look: Callable[[NodeCommand], str]) -> Deed:
    """Return the deed whose output is what `look` returns, made in a thread."""

    async def do(command: NodeCommand) -> Told:
        text = await anyio.to_thread.run_sync(look, command, abandon_on_cancel=True)
        if (size := len(text.encode())) > OUTPUT_BYTES_MAX:
            raise TooLarge(f"the answer has {size} bytes, and {OUTPUT_BYTES_MAX} can be told: ask for less")
        return Told(text)

    return do
