import pytest

from ganglion.core.errors import Conflict, InvalidName, NotFound
from ganglion.core.identity_errors import Unauthenticated
from ganglion.hub.services.people.accounts import Accounts, AccountSettings
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore


@pytest.fixture
def control() -> MemoryControlStore:
    return MemoryControlStore()


@pytest.fixture
def accounts(control: MemoryControlStore, clock: FakeClock, chance: SeededChance) -> Accounts:
    return Accounts(control=control, clock=clock, chance=chance, settings=AccountSettings(accounts_max=3))


def test_a_new_hub_makes_its_first_account_once(accounts: Accounts) -> None:
    token = accounts.first_account()

    assert token is not None
    assert accounts.authenticate(token).name == "admin"
    assert accounts.first_account() is None


def test_an_account_is_recognised_by_its_token(accounts: Accounts) -> None:
    tokens = {name: accounts.create(name) for name in ("ada", "bob")}

    assert {name: accounts.authenticate(token).name for name, token in tokens.items()} == {"ada": "ada", "bob": "bob"}


@pytest.mark.parametrize("token", ["", "ganglion-account-00", "admin"])
def test_an_unknown_token_is_refused(accounts: Accounts, token: str) -> None:
    accounts.first_account()

    with pytest.raises(Unauthenticated, match="belongs to no account"):
        accounts.authenticate(token)


def test_a_name_is_given_once(accounts: Accounts) -> None:
    accounts.create("ada")

    with pytest.raises(Conflict, match="named ada exists already"):
        accounts.create("ada")


def test_a_name_that_is_none_is_refused(accounts: Accounts) -> None:
    with pytest.raises(InvalidName, match="account"):
        accounts.create("ada lovelace")


def test_there_is_a_limit_to_accounts(accounts: Accounts) -> None:
    for name in ("ada", "bob", "eve"):
        accounts.create(name)

    with pytest.raises(Conflict, match="there are 3 accounts"):
        accounts.create("joe")


def test_a_renewed_token_replaces_the_old_one(accounts: Accounts) -> None:
    old = accounts.create("ada")

    new = accounts.renew("ada")

    assert accounts.authenticate(new).name == "ada"
    with pytest.raises(Unauthenticated):
        accounts.authenticate(old)


def test_only_an_account_that_exists_is_renewed(accounts: Accounts) -> None:
    with pytest.raises(NotFound, match="ada"):
        accounts.renew("ada")


def test_a_session_is_recognised_until_it_is_closed(accounts: Accounts) -> None:
    session = accounts.open_session(accounts.create("ada"))
    assert accounts.authenticate_session(session).name == "ada"

    accounts.close_session(session)
    accounts.close_session(session)

    with pytest.raises(Unauthenticated, match="log in again"):
        accounts.authenticate_session(session)


def test_a_session_ends_after_twelve_hours(accounts: Accounts, clock: FakeClock) -> None:
    session = accounts.open_session(accounts.create("ada"))
    clock.advance(12 * 3600 - 1)
    assert accounts.authenticate_session(session).name == "ada"

    clock.advance(1)

    with pytest.raises(Unauthenticated, match="log in again"):
        accounts.authenticate_session(session)


def test_renewing_a_token_ends_the_sessions_it_opened(accounts: Accounts) -> None:
    token = accounts.create("ada")
    session = accounts.open_session(token)

    accounts.renew("ada")

    with pytest.raises(Unauthenticated, match="log in again"):
        accounts.authenticate_session(session)


def test_a_session_needs_a_good_token(accounts: Accounts) -> None:
    with pytest.raises(Unauthenticated, match="belongs to no account"):
        accounts.open_session("ganglion-account-00")


def test_a_session_is_no_token_and_a_token_no_session(accounts: Accounts) -> None:
    token = accounts.create("ada")
    session = accounts.open_session(token)

    with pytest.raises(Unauthenticated):
        accounts.authenticate(session)
    with pytest.raises(Unauthenticated):
        accounts.authenticate_session(token)


def test_ended_sessions_are_removed(accounts: Accounts, clock: FakeClock, control: MemoryControlStore) -> None:
    token = accounts.create("ada")
    accounts.open_session(token)
    clock.advance(24 * 3600)

    accounts.open_session(token)

    with control.write() as tx:
        assert tx.remove_credentials(expired_at_s=clock.utc_ns() / 1e9 + 1e6) == 1


def test_the_database_holds_no_usable_secret(accounts: Accounts, control: MemoryControlStore) -> None:
    token = accounts.create("ada")
    session = accounts.open_session(token)

    with control.read() as tx:
        assert tx.credential(token, "account") is None
        assert tx.credential(session, "session") is None
