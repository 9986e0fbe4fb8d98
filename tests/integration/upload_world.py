"""A node's outbox with large samples, and the agents that bring them to a hub at the far end of a cable."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.files import DirectoryFiles
from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import GanglionError
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.services.sending.forwarder import Forwarder, ForwarderSettings
from ganglion.node.services.sending.sample_uploads import SampleUploads
from ganglion.ports.agent_store import JournalPosition, NewRecord
from ganglion.testing.chance import SeededChance
from ganglion.testing.memory_keys import MemoryKeys
from ganglion.testing.relay import ThreadedRelay
from ganglion.testing.waiting import wait_until
from ganglion.wire import codec, paths
from ganglion.wire.records import RecordClass
from integration.hub_api_world import Caller, CallingNode
from unit.hub.records import sample

LARGE_BYTES = 3_000_000
OVERHEAD = 1.05


@dataclass(slots=True)
class Uploading:
    """A node's outbox, and its hub at the far end of a cable."""

    directory: Path
    hub: Caller
    node: CallingNode
    relay: ThreadedRelay
    outbox: SqliteAgentStore

    def forwarder(self) -> Forwarder:
        """A new agent on the same outbox: whatever the one before remembered is gone."""
        port = self.relay.port
        link = HttpsHubLink(
            identity=Identity(
                f"https://127.0.0.1:{port}",
                self.node.identity.node_id,
                self.hub.ca_pin,
                MemoryKeys(self.node.key),
            ),
            ca_pem=self.hub.ca_file.read_bytes(),
            tuf_root=self.node.identity.tuf_root,
            open_metadata=lambda: DirectoryFiles(self.directory / "metadata"),
            clock=SystemClock(),
            settings=LinkSettings(request_timeout_s=10),
        )
        return Forwarder(
            store=self.outbox,
            link=link,
            clock=SystemClock(),
            chance=SeededChance(1),
            settings=ForwarderSettings(),
            retry=BackoffPolicy(),
            uploads=SampleUploads(link),
        )

    def keep(self, *seeds: int, size_bytes: int = LARGE_BYTES) -> None:
        records = [NewRecord(RecordClass.SAMPLE, 1, payload_of(size_bytes, seed)) for seed in seeds]
        self.outbox.take_journal(records, JournalPosition(1, 1))

    def stored(self) -> list[str]:
        """Return the ids of the samples that the hub shows."""
        found = self.hub.call("GET", f"{paths.SAMPLES}?node=gate").json
        assert isinstance(found, list)
        return [view["sample_id"] for view in found]

    def drain_until(self, forwarder: Forwarder, is_time: Callable[[], bool], act: Callable[[], object]) -> None:
        """Drain, and do something in the middle of it that the drain does not survive."""
        ended: list[BaseException] = []

        def drain() -> None:
            try:
                anyio.run(forwarder.drain)
            except GanglionError as error:
                ended.append(error)

        draining = threading.Thread(target=drain)
        draining.start()
        wait_until(is_time, what="the middle of the transfer", timeout_s=30)
        act()
        draining.join()
        assert ended, "it got through before it was cut"


def payload_of(size_bytes: int, seed: int = 1) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (1, size_bytes), dtype=np.uint8)
    return codec.encode_packed(sample(noise))
