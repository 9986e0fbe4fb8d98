"""Logging in with an identity provider, by a real browser's steps, and what a provider or an attacker may try."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.entrypoints.settings.people import IdentitySettings, ProviderSettings
from ganglion.hub.domain.people.provider_roles import parse_rules, role_for
from ganglion.trust.roles import Role, Scope
from ganglion.wire import paths
from integration.hub_api_world import Answer, ServedHub, serving
from integration.identity_provider import CLIENT_ID, SECRET, Provider, identity_provider

RULES = ("admins=admin", "ops=operator", "porto=operator@porto+lisbon")


@pytest.fixture
def provider() -> Iterator[Provider]:
    with identity_provider() as running:
        yield running


@pytest.fixture
def hub(provider: Provider, tmp_path: Path) -> Iterator[ServedHub]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    chosen = ProviderSettings(
        issuer=provider.url, name="Acme", client_id=CLIENT_ID, client_secret_file=str(secret), roles=RULES
    )
    settings = HubSettings(data_dir=str(tmp_path / "hub"), port=0, identity=IdentitySettings(provider=chosen))
    with serving(settings) as served:
        yield served


@dataclass(slots=True)
class Browser:
    """Keeps cookies, and follows what it is told to."""

    hub: ServedHub
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.hub.call("GET", path, token="", headers={"Cookie": cookie, "Accept": "text/html"})
        # Several headers of one name arrive as one, with commas between them, and dates have commas too.
        for each in re.split(r", (?=__Host-)", answer.headers.get("set-cookie", "")):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(each).items()}
        return answer

    def sent_back(self) -> str:
        """Begin a login, let the provider answer, and return where it sends the browser."""
        begun = self.get("/login/provider")
        assert begun.status == 303
        pool = urllib3.PoolManager()
        reply = pool.request("GET", begun.headers["location"], redirect=False)
        pool.clear()
        back = urlsplit(reply.headers["location"])
        return f"{back.path}?{back.query}"

    def log_in(self) -> Answer:
        return self.get(self.sent_back())


def account(hub: ServedHub, name: str = "ada") -> dict[str, object]:
    accounts = hub.call("GET", paths.ACCOUNTS).json
    assert isinstance(accounts, list)
    return next(each for each in accounts if each["name"] == name)


def test_a_person_of_a_known_group_gets_an_account_and_a_session(hub: ServedHub) -> None:
    browser = Browser(hub)
    assert "Log in with Acme" in browser.get("/login").body.decode()

    answer = browser.log_in()

    assert answer.status == 200, answer.body.decode()
    assert browser.cookies[session.COOKIE].startswith("ganglion-session-")
    assert "Overview" in browser.get("/").body.decode()
    assert account(hub)["role"] == "operator"


def test_the_question_has_a_challenge_and_no_secret(hub: ServedHub) -> None:
    address = Browser(hub).get("/login/provider").headers["location"]

    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{hub.url}/login/provider/callback"
    assert not set(asked) & {"client_secret", "code_verifier"}


def test_groups_are_looked_at_anew_at_each_login(hub: ServedHub, provider: Provider) -> None:
    Browser(hub).log_in()
    provider.person["groups"] = ["porto"]

    Browser(hub).log_in()

    assert (account(hub)["role"], account(hub)["sites"]) == ("operator", ["lisbon", "porto"])


def test_a_person_who_is_renamed_keeps_the_account(hub: ServedHub, provider: Provider) -> None:
    Browser(hub).log_in()
    provider.person["preferred_username"] = "ada.lovelace"

    assert Browser(hub).log_in().status == 200

    names = hub.call("GET", paths.ACCOUNTS).json
    assert isinstance(names, list)
    assert [each["name"] for each in names] == ["ada", "admin"]


def test_who_is_in_no_known_group_is_refused_and_loses_the_sessions_of_before(
    hub: ServedHub, provider: Provider
) -> None:
    browser = Browser(hub)
    browser.log_in()
    provider.person["groups"] = ["visitors"]

    answer = Browser(hub).log_in()

    assert answer.status == 403
    assert browser.get("/").status == 303


def test_nobody_takes_over_an_account_of_this_hub_by_its_name(hub: ServedHub, provider: Provider) -> None:
    provider.person["preferred_username"] = "admin"

    browser = Browser(hub)

    assert browser.log_in().status == 409
    assert session.COOKIE not in browser.cookies


@pytest.mark.parametrize(
    "lies",
    [
        {"exp": 1_000_000_000},
        {"exp": None},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"iss": "https://elsewhere.example"},
        {"nonce": "of another login"},
        {"nonce": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": 7},
        {"preferred_username": None},
    ],
    ids=str,
)
def test_attack_39_a_token_that_is_not_for_this_login_now_opens_nothing(
    hub: ServedHub, provider: Provider, lies: dict[str, object]
) -> None:
    provider.lies = lies
    browser = Browser(hub)

    answer = browser.log_in()

    assert answer.status == 401
    assert session.COOKIE not in browser.cookies


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_the_provider_did_not_sign_opens_nothing(
    hub: ServedHub, provider: Provider, algorithm: str
) -> None:
    provider.signs_with = algorithm

    assert Browser(hub).log_in().status == 401


def test_an_answer_is_good_once(hub: ServedHub) -> None:
    browser = Browser(hub)
    back = browser.sent_back()
    asked = dict(browser.cookies)
    assert browser.get(back).status == 200

    browser.cookies = asked

    assert browser.get(back).status == 401


def test_an_answer_to_another_browsers_question_logs_nobody_in(hub: ServedHub) -> None:
    attacker, victim = Browser(hub), Browser(hub)
    victim.sent_back()

    answer = victim.get(attacker.sent_back())

    assert answer.status == 401
    assert session.COOKIE not in victim.cookies


def test_a_provider_that_is_gone_is_named(hub: ServedHub, provider: Provider) -> None:
    browser = Browser(hub)
    back = browser.sent_back()
    provider.asked.clear()

    answer = browser.get(back)

    assert answer.status == 502
    assert "answered 400" in answer.body.decode()


def test_a_hub_without_a_provider_offers_none(tmp_path: Path) -> None:
    with serving(HubSettings(data_dir=str(tmp_path), port=0)) as hub:
        assert "Log in with" not in hub.call("GET", "/login", token="").body.decode().replace("Log in with the", "")
        assert hub.call("GET", "/login/provider", token="").status == 404


@pytest.mark.parametrize("rule", ["ops", "ops=", "=viewer", "ops=king", "ops=viewer@", "ops=viewer@a b"])
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(InvalidSettings, match=r"provider\.roles"):
        parse_rules([rule])


def test_the_first_rule_that_fits_counts() -> None:
    rules = parse_rules(["cn=ops,dc=acme=operator@porto", "staff=viewer"])

    assert role_for(["staff", "cn=ops,dc=acme"], rules) == (Role.OPERATOR, Scope(sites=("porto",)))
    assert role_for(["guests"], rules) is None
