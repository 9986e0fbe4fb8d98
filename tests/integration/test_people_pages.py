"""People at the browser and at the command line: links, passwords, a granted login, and what each role sees."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.entrypoints.cli.app import app as commands
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.hub_process import process as hub_process
from ganglion.entrypoints.hub_process.server import Listening
from ganglion.entrypoints.hub_wiring.hub import open_hub
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.testing.waiting import wait_until
from ganglion.wire import paths
from integration.hub_api_world import Answer, ServedHub, serving

PASSWORD = "correct horse battery staple"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ServedHub]:
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0)) as served:
        yield served


def form(hub: ServedHub, path: str, *, cookie: str = "", site: str = "same-origin", **fields: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": site, "Accept": "text/html"}
    headers |= {"Cookie": f"{session.COOKIE}={cookie}"} if cookie else {}
    return hub.call("POST", path, token="", body=urlencode(fields).encode(), headers=headers)


def cookie_of(answer: Answer) -> str:
    found = re.search(rf"{session.COOKIE}=([^;]+)", answer.headers["set-cookie"])
    assert found
    return found[1]


def page(hub: ServedHub, path: str, cookie: str) -> str:
    headers = {"Cookie": f"{session.COOKIE}={cookie}", "Accept": "text/html"}
    return hub.call("GET", path, token="", headers=headers).body.decode()


def test_a_one_time_link_leads_to_a_password_and_into_the_hub(hub: ServedHub) -> None:
    code = hub.hub.people.passwords.offer_link("admin")
    assert "Choose a password" in page(hub, f"/welcome?code={code}", "")

    entered = form(hub, "/welcome", code=code, password=PASSWORD, again=PASSWORD)

    assert "Overview" in page(hub, "/", cookie_of(entered))
    assert form(hub, "/welcome", code=code, password=PASSWORD, again=PASSWORD).status == 401
    assert form(hub, "/login", name="admin", password=PASSWORD).status == 303


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"password": PASSWORD, "again": "something else!"}, 400),
        ({"password": "short", "again": "short"}, 400),
        ({"code": "made up", "password": PASSWORD, "again": PASSWORD}, 401),
    ],
    ids=["differ", "short", "made up"],
)
def test_a_form_that_was_refused_spends_no_link(hub: ServedHub, fields: dict[str, str], status: int) -> None:
    code = hub.hub.people.passwords.offer_link("admin")

    assert form(hub, "/welcome", **{"code": code, **fields}).status == status
    assert form(hub, "/welcome", code=code, password=PASSWORD, again=PASSWORD).status == 303


def test_forms_of_another_site_are_refused(hub: ServedHub) -> None:
    hub.hub.people.passwords.set_password("admin", PASSWORD, by="test")
    code = hub.hub.people.passwords.offer_link("admin")

    assert form(hub, "/login", site="cross-site", name="admin", password=PASSWORD).status == 403
    assert form(hub, "/welcome", site="cross-site", code=code, password=PASSWORD, again=PASSWORD).status == 403


def test_the_login_page_says_how_long_to_wait(hub: ServedHub) -> None:
    for _ in range(5):
        assert form(hub, "/login", name="admin", password="wrong").status == 401

    answer = form(hub, "/login", name="admin", password="wrong")

    assert answer.status == 429
    assert "try again in" in answer.body.decode()


def test_a_viewer_sees_the_page_and_may_not_label(hub: ServedHub) -> None:
    token = hub.post(paths.ACCOUNTS, {"name": "ada"}).json
    assert isinstance(token, dict)
    cookie = cookie_of(form(hub, "/login", token=token["token"]))
    csrf = session.csrf_token(cookie)

    assert "Overview" in page(hub, "/", cookie)
    assert form(hub, "/label", cookie=cookie, sample_id="s", label="7", csrf=csrf).status == 403


def test_the_page_shows_an_operator_the_nodes_of_their_sites_alone(hub: ServedHub) -> None:
    hub.join("here", "north")
    hub.join("there", "south")
    token = hub.post(paths.ACCOUNTS, {"name": "ada", "role": "operator", "sites": ["north"]}).json
    assert isinstance(token, dict)

    shown = page(hub, "/", cookie_of(form(hub, "/login", token=token["token"])))

    assert "here" in shown
    assert "there" not in shown


def test_a_login_is_granted_only_with_the_sessions_own_form(hub: ServedHub) -> None:
    cookie = cookie_of(form(hub, "/login", token=hub.token))
    asked = hub.post(paths.LOGIN_REQUESTS, {}, token="").json
    assert isinstance(asked, dict)
    question = {"secret": asked["secret"]}

    assert form(hub, "/grant", cookie=cookie, code=asked["code"], csrf="made up").status == 403
    assert hub.post(f"{paths.LOGIN_REQUESTS}/answer", question, token="").json == {"token": "", "lasts_s": 0.0}

    csrf = session.csrf_token(cookie)
    assert asked["code"] in page(hub, asked["path"], cookie)
    assert form(hub, "/grant", cookie=cookie, code=asked["code"], csrf=csrf).status == 200
    granted = hub.post(f"{paths.LOGIN_REQUESTS}/answer", question, token="").json
    assert isinstance(granted, dict)
    assert hub.call("GET", paths.NODES, token=granted["token"]).status == 200


def test_the_command_line_logs_in_with_a_password(
    hub: ServedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.hub.people.passwords.set_password("admin", PASSWORD, by="test")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))

    commands(args=["login", hub.url, "--user", "admin", "--ca-pin", hub.ca_pin], standalone_mode=False)
    commands(args=["node", "list", "-o", "json"], standalone_mode=False)

    told = capsys.readouterr()
    assert "as admin (admin)" in told.err
    assert told.out == "[]\n"
    assert PASSWORD not in next(tmp_path.rglob("logins.json")).read_text()


def test_the_command_line_is_let_in_from_a_browser(
    hub: ServedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ganglion.entrypoints.cli.login._ASK_EVERY_S", 0.05)
    cookie = cookie_of(form(hub, "/login", token=hub.token))
    asked = hub.hub.people.browser_logins._asked
    line = ["login", hub.url, "--browser", "--ca-pin", hub.ca_pin]
    command = Thread(target=lambda: commands(args=line, standalone_mode=False))

    command.start()
    wait_until(lambda: bool(asked), what="the command to ask", timeout_s=10.0)
    (question,) = asked.values()
    form(hub, "/grant", cookie=cookie, code=question.code, csrf=session.csrf_token(cookie))
    command.join(timeout=10)

    assert not command.is_alive()
    assert "logged in to" in capsys.readouterr().err


def test_the_first_start_shows_a_token_and_a_link_once(
    hub: ServedHub, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    listening = Listening(hub.url, 1, hub.ca_pin)
    hub_process._announce(hub.hub, listening)
    assert "choose a password" not in capsys.readouterr().out

    settings = HubSettings(data_dir=str(tmp_path / "new"), port=0)
    with open_hub(settings, clock=SystemClock(), chance=SystemChance()) as new:
        hub_process._announce(new, listening)

    assert re.search(r"/welcome\?code=ganglion-link-[0-9a-f]{64}\n", capsys.readouterr().out)


def test_no_secret_of_a_login_stands_in_the_log(hub: ServedHub) -> None:
    with capture_logs() as logs:
        form(hub, "/login", name="admin", password="a wrong password that is secret")
        form(hub, "/login", token="ganglion-account-" + "ab" * 32)

    assert "login.refused" in {entry["event"] for entry in logs}
    assert "secret" not in str(logs)
    assert "abab" not in str(logs)
