"""A hub that was restored from an older copy, seen by clients that know what it has forgotten."""

from pathlib import Path

import pytest
from tuf.api import exceptions

from ganglion.core.errors import DiskUnusable
from ganglion.testing.clock import FakeClock
from integration.test_tuf_repository import DAY_S, FIRST, OTHER_MODEL, SECOND, Client, Hub


@pytest.fixture
def hub(clock: FakeClock) -> Hub:
    return Hub(clock)


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    return Client(hub, tmp_path / "client")


def restore(hub: Hub, client: Client) -> None:
    """Take a copy after the first release, let the client see the next ones, and put the copy back."""
    hub.release(FIRST, b"weights 1")
    backup = dict(hub.files.files)
    hub.release(SECOND, b"weights 2")
    hub.release(OTHER_MODEL, b"other weights")
    assert client.fetch(OTHER_MODEL) == b"other weights"
    hub.files.files = backup


def test_clients_refuse_what_a_restored_hub_signs(hub: Hub, client: Client) -> None:
    restore(hub, client)

    with pytest.raises(exceptions.RepositoryError):
        client.look()


def test_after_recovery_every_client_accepts_the_hub_again(hub: Hub, client: Client, tmp_path: Path) -> None:
    newcomer = Client(hub, tmp_path / "newcomer")
    restore(hub, client)

    hub.repository.recover()
    hub.release(SECOND, b"other weights 2")

    for one in (client, newcomer):
        assert one.fetch(FIRST) == b"weights 1"
        assert one.fetch(SECOND) == b"other weights 2"
        assert one.find(OTHER_MODEL) is None


def test_recovery_can_be_needed_again(hub: Hub, client: Client) -> None:
    restore(hub, client)
    hub.repository.recover()
    hub.release(SECOND, b"weights 2")
    assert client.fetch(SECOND) == b"weights 2"

    hub.repository.recover()

    assert client.fetch(FIRST) == b"weights 1"
    assert hub.repository.root_version() == 3


def test_a_recovered_repository_lives_on_as_before(hub: Hub, client: Client, clock: FakeClock) -> None:
    restore(hub, client)
    hub.repository.recover()

    for _ in range(100):
        clock.advance(DAY_S)
        hub.repository.refresh_timestamp()
        client.look()
    hub.repository.initialise()

    assert client.fetch(FIRST) == b"weights 1"
    # Recovered once, and signed again once in a hundred days.
    assert hub.repository.root_version() == 3


@pytest.mark.parametrize("writes", range(3))
def test_a_kill_during_recovery_is_made_good_by_the_next_start(hub: Hub, client: Client, writes: int) -> None:
    restore(hub, client)
    hub.files.writes_left = writes
    with pytest.raises(DiskUnusable):
        hub.repository.recover()
    hub.files.writes_left = 1_000_000

    hub.repository.initialise()
    hub.repository.recover()

    assert client.fetch(FIRST) == b"weights 1"
