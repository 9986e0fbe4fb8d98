"""Large samples come in two parts: first their inputs, in pieces over any number of interruptions, then their records.

What has arrived is put together again before a batch is stored: a stored sample holds its inputs, however it came, and
leaves with them. The content itself stays for some days, so that the same inputs need not be sent twice.
"""

from collections.abc import Callable

import msgspec
import structlog

from ganglion.core.delivery_errors import ContentMissing
from ganglion.core.errors import DiskUnusable, InvalidName, InvalidRequest, NotFound, TooLarge
from ganglion.core.ids import Digest, parse_digest
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.sample_contents import ContentStore
from ganglion.wire import codec, sample_parting
from ganglion.wire.records import Batch, ContentHeld, Envelope, RecordClass, SampleByContent, is_map

log = structlog.get_logger()

_DAY_S = 86_400.0


class ContentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What nodes may leave at the hub."""

    content_bytes_max: int = 4_000_000
    """Largest content; a larger one is refused with 413."""
    node_bytes_max: int = 64_000_000
    """What one node's contents take together; the least recently used one goes first."""
    node_partials_max: int = 4
    """Contents of one node that are on their way at the same time; the least recently continued one goes first."""
    days: float = 7.0
    """How long content stays that nothing refers to any more, or that is not continued."""
    joined_bytes_max: int = 32_000_000
    """What a batch may be when its samples are put together; a larger batch is refused with 413."""
    disk_free_bytes_min: int = 0
    """No content is taken while the disk has less room than this."""


class SampleContents:
    """Takes contents in, and puts samples together. Safe to use from many threads."""

    def __init__(
        self,
        *,
        store: ContentStore,
        clock: Clock,
        limits: ContentLimits | None = None,
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self._limits, self._free_bytes = limits or ContentLimits(), free_bytes

    def held(self, node_id: str, sha256: str) -> ContentHeld:
        """Return how much of the node's content is here. Raises: InvalidName."""
        return self._store.held(node_id, parse_digest(sha256))

    def take(self, node_id: str, sha256: str, data: bytes, *, offset: int, size_bytes: int) -> ContentHeld:
        """Take a piece in, and return how much is here then.

        Raises: InvalidName, TooLarge. InvalidRequest: it is not what it says, and was thrown away. DiskUnusable.
        """
        digest, limits = parse_digest(sha256), self._limits
        if size_bytes > limits.content_bytes_max:
            raise TooLarge(f"the content has {size_bytes} bytes, at most {limits.content_bytes_max} are taken")
        free_bytes = self._free_bytes() if self._free_bytes else None
        if free_bytes is not None and free_bytes < limits.disk_free_bytes_min:
            raise DiskUnusable(f"the hub's disk has {free_bytes} bytes left and keeps {limits.disk_free_bytes_min}")
        if offset == 0 and self._store.held(node_id, digest).held_bytes == 0:
            self._store.make_room(
                node_id, size_bytes, bytes_max=limits.node_bytes_max, partials_max=limits.node_partials_max
            )
        now_s = utc_s(self._clock)
        return self._store.append(node_id, digest, data, offset=offset, size_bytes=size_bytes, now_s=now_s)

    def joined(self, node_id: str, batch: Batch) -> Batch:
        """Return the batch with its samples as the node made them.

        One that is not what its record says stays as it came, and blocks no other. Raises: TooLarge.
        ContentMissing: a content is not here; nothing of the batch may be stored before it is.
        """
        named = {record.seq: found for record in batch.records if (found := _named(record)) is not None}
        if not named:
            return batch
        size_bytes = sum(max(0, each.size_bytes) for each in named.values())
        if size_bytes > self._limits.joined_bytes_max:
            raise TooLarge(f"the samples have {size_bytes} bytes, at most {self._limits.joined_bytes_max} are taken")
        records = [self._join(node_id, record, named.get(record.seq)) for record in batch.records]
        return msgspec.structs.replace(batch, records=tuple(records))

    def remove_old(self) -> None:
        """Remove what nobody has used for long. A disk that refuses is tried again with the next call."""
        try:
            removed = self._store.remove_before(utc_s(self._clock) - self._limits.days * _DAY_S)
        except DiskUnusable as error:
            log.warning("samples.contents_not_aged", reason=error.message)
            return
        if removed:
            log.info("samples.contents_aged", removed=removed)

    def _join(self, node_id: str, record: Envelope, named: SampleByContent | None) -> Envelope:
        if named is None:
            return record
        try:
            content = self._store.read(node_id, Digest(named.sha256), now_s=utc_s(self._clock))
        except NotFound as error:
            raise ContentMissing(f"record {record.seq} names content that is not here: {error.message}") from error
        try:
            return msgspec.structs.replace(record, payload=sample_parting.join(named, content))
        except (InvalidRequest, TooLarge):
            return record


def _named(record: Envelope) -> SampleByContent | None:
    """Return what a sample's record says of its content; None: it is none of this kind, or no digest."""
    if record.record_class != RecordClass.SAMPLE or is_map(record.payload):
        return None
    try:
        named = codec.decode_packed(record.payload, SampleByContent)
        parse_digest(named.sha256)
    except (InvalidRequest, InvalidName):
        return None
    return named
