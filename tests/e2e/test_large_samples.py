"""A hub that is killed in the middle of a large sample: what it had is not sent again, and the sample counts once."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
import urllib3

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.testing.processes import HubProcess, free_port
from ganglion.testing.relay import Quality, ThreadedRelay
from integration.hub_api_world import Caller
from integration.upload_world import LARGE_BYTES, OVERHEAD, Uploading

pytestmark = pytest.mark.e2e


@contextlib.contextmanager
def calling(process: HubProcess) -> Iterator[Caller]:
    address = json.loads((process.data / "run" / "hub.json").read_bytes())
    ca_file = process.data / "tls" / "ca.pem"
    with urllib3.PoolManager(ca_certs=str(ca_file), timeout=urllib3.Timeout(20.0)) as pool:
        yield Caller(
            url=address["url"], token=process.first_token(), ca_file=ca_file, ca_pin=address["ca_pin"], pool=pool
        )
        pool.clear()


def test_a_killed_hub_goes_on_with_the_bytes_that_it_had(tmp_path: Path) -> None:
    outbox = SqliteAgentStore(tmp_path / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: "first")
    with (
        HubProcess(tmp_path / "hub", port=free_port()) as process,
        calling(process) as hub,
        ThreadedRelay("127.0.0.1", process.port) as relay,
    ):
        world = Uploading(tmp_path, hub, hub.join("gate"), relay, outbox)
        world.keep(1)
        relay.carry(Quality(bytes_per_s=1_500_000))
        world.drain_until(world.forwarder(), lambda: relay.up_bytes > LARGE_BYTES / 2, process.kill)
        relay.carry(Quality())
        process.start()

        anyio.run(world.forwarder().drain)

        assert len(world.stored()) == 1
        assert LARGE_BYTES < relay.up_bytes <= LARGE_BYTES * OVERHEAD
    outbox.close()
