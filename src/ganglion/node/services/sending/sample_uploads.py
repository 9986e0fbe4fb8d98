"""Hands over the inputs of large samples in pieces, before the batch with their records leaves.

The outbox keeps a sample in one piece, within its limits, and it goes from there when the hub has the record: what is
cut, here or at the hub, leaves nothing behind that would have to be tidied up.
"""

import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import HubUnreachable, NotFound
from ganglion.ports.content_link import ContentLink
from ganglion.wire import sample_parting
from ganglion.wire.records import Batch, ContentHeld, Envelope, RecordClass
from ganglion.wire.sample_parting import Parted

log = structlog.get_logger()

_STALLS_MAX = 3
"""So often may the hub have something else than what was sent so far, within one content."""


class UploadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which samples are handed over apart, and how."""

    inline_bytes_max: int = 65_536
    """A sample whose inputs take no more, compressed, travels inside its record."""
    piece_bytes: int = 131_072
    """What a cut takes at most: a piece counts when all of it has arrived."""


class SampleUploads:
    """Parts batches for the hub. For one task at a time."""

    def __init__(self, link: ContentLink, settings: UploadSettings | None = None) -> None:
        self._link, self._settings = link, settings or UploadSettings()
        self._is_taken = True
        """False: this hub takes samples inside their records only."""

    async def hand_over(self, batch: Batch) -> Batch:
        """Bring the contents of a batch to the hub, and return the batch with records that name them.

        What the hub has already, whole or in part, is not sent again. Raises what the link raises.
        """
        if not self._is_taken:
            return batch
        parted = await anyio.to_thread.run_sync(self._part, batch)
        try:
            for each in parted.values():
                await self._bring(each)
        except NotFound:
            log.info("samples.sent_inline", reason="the hub is of a release that takes no content apart")
            self._is_taken = False
            return batch
        return msgspec.structs.replace(batch, records=tuple(_named(record, parted) for record in batch.records))

    def _part(self, batch: Batch) -> dict[int, Parted]:
        found: dict[int, Parted] = {}
        for record in batch.records:
            if record.record_class == RecordClass.SAMPLE:
                parted = sample_parting.part(record.payload, inline_bytes_max=self._settings.inline_bytes_max)
                if parted is not None:
                    found[record.seq] = parted
        return found

    async def _bring(self, parted: Parted) -> None:
        size_bytes, stalls = len(parted.content), 0
        held = await anyio.to_thread.run_sync(self._link.content_held, parted.sha256, abandon_on_cancel=True)
        while not held.is_complete:
            offset = held.held_bytes
            if not 0 <= offset <= size_bytes or stalls >= _STALLS_MAX:
                raise HubUnreachable(f"the hub has {offset} bytes of {size_bytes}, and takes no more of them")
            held = await anyio.to_thread.run_sync(self._put, parted, offset, abandon_on_cancel=True)
            # Not only no progress: a hub that takes a byte of each piece would have the node send without an end.
            stalls += held.held_bytes != min(offset + self._settings.piece_bytes, size_bytes)

    def _put(self, parted: Parted, offset: int) -> ContentHeld:
        piece = parted.content[offset : offset + self._settings.piece_bytes]
        return self._link.put_content(parted.sha256, piece, offset=offset, size_bytes=len(parted.content))


def _named(record: Envelope, parted: dict[int, Parted]) -> Envelope:
    found = parted.get(record.seq)
    return record if found is None else msgspec.structs.replace(record, payload=found.payload)
