"""Roles, passwords, programs' tokens and logins from a browser, as the services decide them."""

import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.core.identity_errors import Forbidden, LoginBlocked, TokenRefused, Unauthenticated
from ganglion.hub.domain.people.login_gate import LoginLimits
from ganglion.hub.services.people.accounts import Accounts
from ganglion.hub.services.people.browser_logins import LIFE_S, BrowserLogins
from ganglion.hub.services.people.passwords import LINK_LIFE_S, PasswordLogins
from ganglion.hub.services.people.program_tokens import ProgramTokens
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore
from ganglion.trust.roles import Caller, Role, Scope

PASSWORD, OTHER = "correct horse battery staple", "another long password"
ADMIN = Caller(name="root", role=Role.ADMIN)


class PlainPasswords:
    """Stores a password with a word before it, at no price."""

    def __init__(self) -> None:
        self.parameters = "1"
        self.checked = 0

    def hash(self, password: str) -> str:
        return f"{self.parameters}:{password}"

    def verify(self, stored: str, password: str) -> bool:
        self.checked += 1
        return stored.partition(":")[2] == password and bool(stored)

    def is_outdated(self, stored: str) -> bool:
        return not stored.startswith(f"{self.parameters}:")


@pytest.fixture
def control() -> MemoryControlStore:
    return MemoryControlStore()


@pytest.fixture
def accounts(control: MemoryControlStore, clock: FakeClock, chance: SeededChance) -> Accounts:
    made = Accounts(control=control, clock=clock, chance=chance)
    made.create("root", role=Role.ADMIN)
    made.create("ada", role=Role.OPERATOR)
    return made


@pytest.fixture
def hashing() -> PlainPasswords:
    return PlainPasswords()


@pytest.fixture
def logins(
    control: MemoryControlStore, clock: FakeClock, chance: SeededChance, accounts: Accounts, hashing: PlainPasswords
) -> PasswordLogins:
    made = PasswordLogins(
        control=control,
        clock=clock,
        chance=chance,
        accounts=accounts,
        passwords=hashing,
        limits=LoginLimits(tries_free_max=3),
    )
    made.set_password("ada", PASSWORD, by="ada")
    return made


@pytest.fixture
def tokens(control: MemoryControlStore, clock: FakeClock, chance: SeededChance) -> ProgramTokens:
    return ProgramTokens(control=control, clock=clock, chance=chance)


@pytest.fixture
def browser(control: MemoryControlStore, clock: FakeClock, chance: SeededChance, accounts: Accounts) -> BrowserLogins:
    return BrowserLogins(control=control, clock=clock, chance=chance, accounts=accounts)


def actions(control: MemoryControlStore) -> list[str]:
    with control.read() as tx:
        return [row.action for row in tx.audit(AuditQuery(newest_first=False, limit=1000))]


def ci_token(tokens: ProgramTokens, *, role: Role = Role.VIEWER, life_s: float = 60.0) -> str:
    return tokens.create("ci", role=role, scope=Scope(), expires_in_s=life_s, by=ADMIN)[0]


def test_another_role_holds_for_the_next_call(accounts: Accounts) -> None:
    token = accounts.renew("ada")

    accounts.change("ada", role=Role.VIEWER, scope=Scope(sites=("porto",)), by=ADMIN)

    assert accounts.authenticate(token) == Caller(name="ada", role=Role.VIEWER, scope=Scope(sites=("porto",)))


def test_the_last_admin_stays_one(accounts: Accounts) -> None:
    with pytest.raises(Conflict, match="last admin"):
        accounts.change("root", role=Role.VIEWER, scope=Scope(), by=ADMIN)
    with pytest.raises(Conflict, match="last admin"):
        accounts.change("root", role=Role.ADMIN, scope=Scope(sites=("porto",)), by=ADMIN)
    with pytest.raises(Conflict, match="last admin"):
        accounts.disable("root", by=ADMIN)


def test_a_disabled_account_is_refused_at_once_with_its_token_its_session_and_its_password(
    accounts: Accounts, logins: PasswordLogins
) -> None:
    token = accounts.renew("ada")
    session = logins.open_session("ada", PASSWORD, peer="here")

    accounts.disable("ada", by=ADMIN)

    with pytest.raises(Unauthenticated):
        accounts.authenticate(token)
    with pytest.raises(Unauthenticated):
        accounts.authenticate_session(session)
    with pytest.raises(Unauthenticated):
        logins.open_session("ada", PASSWORD, peer="here")


def test_a_password_opens_a_session(accounts: Accounts, logins: PasswordLogins) -> None:
    assert accounts.authenticate_session(logins.open_session("ada", PASSWORD, peer="here")).name == "ada"


def test_a_wrong_password_and_an_unknown_name_are_one_answer_at_one_price(
    logins: PasswordLogins, hashing: PlainPasswords
) -> None:
    answers = []
    for name in ("ada", "nobody", "root"):
        with pytest.raises(Unauthenticated) as refused:
            logins.open_session(name, "wrong", peer="here")
        answers.append(refused.value.message)

    assert len(set(answers)) == 1
    assert hashing.checked == 3


def test_too_many_wrong_passwords_make_a_name_wait_even_for_the_right_one(
    logins: PasswordLogins, clock: FakeClock
) -> None:
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            logins.open_session("ada", "wrong", peer="here")

    with pytest.raises(LoginBlocked) as blocked:
        logins.open_session("ada", PASSWORD, peer="elsewhere")
    clock.advance(blocked.value.retry_after_s or 0)

    assert logins.open_session("ada", PASSWORD, peer="elsewhere")


def test_a_new_password_ends_the_sessions_of_the_old_one(accounts: Accounts, logins: PasswordLogins) -> None:
    session = logins.open_session("ada", PASSWORD, peer="here")

    logins.set_password("ada", OTHER, by="ada")

    with pytest.raises(Unauthenticated):
        accounts.authenticate_session(session)
    assert logins.open_session("ada", OTHER, peer="here")


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_a_password_that_is_too_short_or_too_long_is_refused(logins: PasswordLogins, password: str) -> None:
    with pytest.raises(InvalidRequest, match="12 to 256"):
        logins.set_password("ada", password, by="ada")


def test_a_password_that_was_kept_at_a_lower_price_is_kept_again(
    logins: PasswordLogins, hashing: PlainPasswords, control: MemoryControlStore
) -> None:
    hashing.parameters = "2"

    logins.open_session("ada", PASSWORD, peer="here")

    with control.read() as tx:
        row = tx.account("ada")
    assert row is not None
    assert row.password_hash == f"2:{PASSWORD}"


def test_a_link_is_good_once_for_its_account(accounts: Accounts, logins: PasswordLogins) -> None:
    code = logins.offer_link("root")

    session = logins.spend_link(code, OTHER)

    assert accounts.authenticate_session(session).name == "root"
    with pytest.raises(TokenRefused):
        logins.spend_link(code, PASSWORD)
    assert logins.open_session("root", OTHER, peer="here")


def test_a_link_survives_a_password_that_was_too_short(logins: PasswordLogins) -> None:
    code = logins.offer_link("root")

    with pytest.raises(InvalidRequest):
        logins.spend_link(code, "short")

    assert logins.spend_link(code, OTHER)


def test_a_link_ends_after_a_day_and_a_newer_one_replaces_it(logins: PasswordLogins, clock: FakeClock) -> None:
    first = logins.offer_link("root")
    second = logins.offer_link("root")
    with pytest.raises(TokenRefused):
        logins.spend_link(first, OTHER)

    clock.advance(LINK_LIFE_S)

    with pytest.raises(TokenRefused):
        logins.spend_link(second, OTHER)


def test_a_programs_token_works_until_its_end(tokens: ProgramTokens, clock: FakeClock) -> None:
    token = ci_token(tokens, role=Role.PUBLISHER)
    assert tokens.authenticate(token) == Caller(name="ci", role=Role.PUBLISHER, kind="token")

    clock.advance(60)

    with pytest.raises(Unauthenticated):
        tokens.authenticate(token)


def test_the_last_use_of_a_token_is_kept_to_the_minute(tokens: ProgramTokens, clock: FakeClock) -> None:
    token = ci_token(tokens, life_s=1000)
    began_s = clock.utc_ns() / 1e9
    assert tokens.list()[0].last_used_at_s is None

    for _ in range(3):
        tokens.authenticate(token)
        clock.advance(25)
    tokens.authenticate(token)

    assert tokens.list()[0].last_used_at_s == began_s + 75


def test_a_revoked_token_is_refused_at_once_and_listed_for_a_month(tokens: ProgramTokens, clock: FakeClock) -> None:
    token = ci_token(tokens)
    tokens.revoke(tokens.list()[0].token_id, by=ADMIN)

    with pytest.raises(Unauthenticated):
        tokens.authenticate(token)

    assert len(tokens.list()) == 1
    clock.advance(31 * 86_400)
    ci_token(tokens)
    assert len(tokens.list()) == 1


def test_a_programs_token_is_no_admin_and_no_more_than_its_maker(tokens: ProgramTokens) -> None:
    with pytest.raises(Forbidden, match="person"):
        ci_token(tokens, role=Role.ADMIN)
    porto = Caller(name="ana", role=Role.ADMIN, scope=Scope(sites=("porto",)))
    with pytest.raises(Forbidden):
        tokens.create("ci", role=Role.VIEWER, scope=Scope(), expires_in_s=60, by=porto)


@pytest.mark.parametrize("life_s", [0, -1, 367 * 86_400, float("inf"), float("nan")])
def test_a_token_needs_an_end(tokens: ProgramTokens, life_s: float) -> None:
    with pytest.raises(InvalidRequest):
        ci_token(tokens, life_s=life_s)


def test_a_login_that_was_granted_is_fetched_once(browser: BrowserLogins, accounts: Accounts) -> None:
    secret, code = browser.ask()
    assert browser.fetch(secret) == ""

    browser.grant(f" {code.lower()} ", by=Caller(name="ada", role=Role.OPERATOR))
    session = browser.fetch(secret)

    assert accounts.authenticate_session(session).name == "ada"
    with pytest.raises(Unauthenticated):
        browser.fetch(secret)


def test_a_login_is_granted_once_in_time_and_by_a_person(browser: BrowserLogins, clock: FakeClock) -> None:
    ada = Caller(name="ada", role=Role.OPERATOR)
    secret, code = browser.ask()
    with pytest.raises(NotFound):
        browser.grant(code, by=Caller(name="ada", role=Role.OPERATOR, kind="token"))
    browser.grant(code, by=ada)
    with pytest.raises(NotFound):
        browser.grant(code, by=ada)

    clock.advance(LIFE_S)

    with pytest.raises(Unauthenticated):
        browser.fetch(secret)


def test_logins_that_nobody_grants_take_no_memory_without_end(browser: BrowserLogins) -> None:
    for _ in range(1000):
        browser.ask()

    assert len(browser._asked) == 200


def test_each_change_has_a_link_in_the_chain(
    control: MemoryControlStore, accounts: Accounts, logins: PasswordLogins, tokens: ProgramTokens
) -> None:
    ci_token(tokens)
    tokens.revoke(tokens.list()[0].token_id, by=ADMIN)
    accounts.change("ada", role=Role.VIEWER, scope=Scope(), by=ADMIN)
    with pytest.raises(Unauthenticated):
        logins.open_session("ada", "wrong", peer="here")
    logins.open_session("ada", PASSWORD, peer="here")
    accounts.disable("ada", by=ADMIN)

    assert actions(control) == [
        "account.created",
        "account.created",
        "account.password_set",
        "token.created",
        "token.revoked",
        "account.changed",
        "refused.login",
        "session.opened",
        "account.disabled",
    ]


def test_a_change_that_was_taken_back_leaves_no_link(control: MemoryControlStore, accounts: Accounts) -> None:
    before = actions(control)

    with pytest.raises(Conflict):
        accounts.create("ada")

    assert actions(control) == before
