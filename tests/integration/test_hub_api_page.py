"""The web page: who may see it, what it shows, and that only its own forms change something."""

import re
from collections.abc import Iterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ganglion.core.ids import RolloutId
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.testing.waiting import wait_until
from ganglion.wire import paths
from ganglion.wire.desired import ModelStatus
from ganglion.wire.records import RecordClass
from integration.hub_api_world import Answer, ServedHub, make_package, make_sample, serving

HTML = {"Accept": "text/html"}
FORM = {**HTML, "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    with serving(HubSettings(data_dir=str(tmp_path_factory.mktemp("hub")), port=0)) as served:
        yield served


@pytest.fixture
def secret(hub: ServedHub) -> str:
    """Return the secret of a session that was opened through the form."""
    return cookie_of(send_form(hub, "/login", token=hub.token)).value


def cookie_of(answer: Answer) -> Morsel[str]:
    return SimpleCookie(answer.headers["set-cookie"])[session.COOKIE]


def send_form(hub: ServedHub, path: str, *, secret: str = "", site: str = "same-origin", **fields: str) -> Answer:
    headers = {**FORM, "Sec-Fetch-Site": site, "Cookie": f"{session.COOKIE}={secret}"}
    return hub.call("POST", path, token="", body=urlencode(fields).encode(), headers=headers)


def cookies(secret: str) -> dict[str, str]:
    return {**HTML, "Cookie": f"{session.COOKIE}={secret}"}


def look(hub: ServedHub, secret: str, path: str = "/") -> str:
    answer = hub.call("GET", path, token="", headers=cookies(secret))
    assert answer.status == 200
    return answer.body.decode()


def keep_sample(hub: ServedHub, node: str) -> str:
    """Let a node keep a sample, and return its id."""
    hub.join(node).send((RecordClass.SAMPLE, make_sample()))
    samples = hub.call("GET", f"{paths.SAMPLES}?node={node}").json
    assert isinstance(samples, list)
    return str(samples[0]["sample_id"])


def test_an_empty_hub_says_how_to_begin(hub: ServedHub, secret: str) -> None:
    page = look(hub, secret)

    for line in ("ganglion node token", f"ganglion node join {hub.url}", "ganglion rollout start", "ganglion sample"):
        assert line in page


def test_who_is_not_logged_in_is_asked_to(hub: ServedHub) -> None:
    answer = hub.call("GET", "/", token="", headers=HTML)

    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert "Account token" in hub.call("GET", "/login", token="").body.decode()


def test_a_wrong_token_opens_no_session(hub: ServedHub) -> None:
    answer = send_form(hub, "/login", token="wrong")

    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.body.decode()


def test_the_session_stays_with_this_host_and_out_of_reach_of_scripts(hub: ServedHub) -> None:
    cookie = cookie_of(send_form(hub, "/login", token=f" {hub.token}\n"))

    assert cookie.key.startswith("__Host-")
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "strict")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert cookie.value != hub.token


def test_the_page_needs_nothing_from_elsewhere_and_no_script(hub: ServedHub, secret: str) -> None:
    page = look(hub, secret)

    loaded = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert "<script" not in page
    assert " style=" not in page
    assert all(address.startswith(("/", "data:", "#")) for address in loaded)
    for address in {address for address in loaded if address.startswith("/static/")}:
        assert hub.call("GET", address, token="").status == 200


def test_the_picture_renews_itself_until_it_is_paused(hub: ServedHub, secret: str) -> None:
    assert 'http-equiv="refresh"' in look(hub, secret)
    assert 'http-equiv="refresh"' not in look(hub, secret, "/?still=1")
    assert re.search(r"As of <time>\d\d:\d\d:\d\d UTC", look(hub, secret))


def test_a_node_is_shown_with_what_it_serves_and_its_words_are_escaped(hub: ServedHub, secret: str) -> None:
    node = hub.join("shown", site="south")
    node.report(ModelStatus("digits", "7", "7", "8", "rolled_back", "<script>alert(1)</script>"))

    page = look(hub, secret)

    assert "shown" in page
    assert "south · x86_64-4" in page
    assert "rolled back" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


def test_labels_are_shown_and_a_group_is_a_page_of_its_own(hub: ServedHub, secret: str) -> None:
    for name in ("north-1", "north-2"):
        hub.join(name).report()
    hub.post(f"{paths.GROUPS}/first", {"nodes": ["north-1"]})
    hub.post(f"{paths.GROUPS}/nobody", {"select": "line=none"})
    hub.post(paths.NODE_ACTIONS, {"action": "label", "nodes": ["north-1"], "labels": {"line": "3"}})

    whole, first = look(hub, secret), look(hub, secret, "/?group=first")

    assert '<span class="tag">line=3</span>' in first
    assert '<span class="name">north-2</span>' in whole
    assert '<span class="name">north-2</span>' not in first
    assert "No node is in the group nobody now." in look(hub, secret, "/?group=nobody")
    assert hub.call("GET", "/?group=none", token="", headers=cookies(secret)).status == 404


def test_a_rollout_has_a_page_with_its_rules_its_history_and_its_way_back(
    hub: ServedHub, secret: str, tmp_path: Path
) -> None:
    hub.call("POST", paths.RELEASES, body=make_package(tmp_path, model="paged").read_bytes())
    hub.join("paging").report()
    begun = hub.post(paths.ROLLOUTS, {"model": "paged", "version": "1", "stages": ["100%"], "select": "name=paging"})
    assert isinstance(begun.json, dict)
    rollout = str(begun.json["rollout_id"])
    wait_until(lambda: "What the gate found" in look(hub, secret, f"/rollouts/{rollout}"), what="a look", timeout_s=20)
    hub.post(paths.rollout(RolloutId(rollout), "abort"), {"reason": "<b>wrong</b> labels"})

    page = look(hub, secret, f"/rollouts/{rollout}")

    assert f'href="/rollouts/{rollout}"' in look(hub, secret)
    assert "&lt;b&gt;wrong&lt;/b&gt; labels" in page
    assert "The way back" in page
    assert re.search(r"stage started</td>.*?admin", page, re.DOTALL)
    assert "<script" not in page
    assert hub.call("GET", "/rollouts/none", token="", headers=cookies(secret)).status == 404
    assert hub.call("GET", f"/rollouts/{rollout}", token="", headers=HTML).status == 303


def test_an_experiment_is_shown_with_what_decides_it(hub: ServedHub, secret: str) -> None:
    hub.post(paths.EXPERIMENTS, {"name": "two-or-one", "model": "meter", "control": "1", "arms": [{"version": "2"}]})

    page = look(hub, secret)

    assert "two-or-one" in page
    assert "meter · version 2 on 50% of the nodes, version 1 on the others · decided by error rate" in page
    assert "ganglion experiment start two-or-one" in page


def test_a_sample_is_drawn_and_a_click_labels_it(
    hub: ServedHub, secret: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hub.call("POST", paths.RELEASES, body=make_package(tmp_path_factory.mktemp("package")).read_bytes())
    sample_id = keep_sample(hub, "drawing")
    page = look(hub, secret)

    answer = send_form(hub, "/label", secret=secret, csrf=session.csrf_token(secret), sample_id=sample_id, label="zero")

    assert 'src="data:image/png;base64,' in page
    assert '<button name="label" value="zero"' in page
    assert (answer.status, answer.headers["location"]) == (303, "/#samples")
    labelled = hub.call("GET", f"{paths.SAMPLES}?node=drawing").json
    assert isinstance(labelled, list)
    assert labelled[0]["label"] == "zero"
    assert 'class="label wrong"' in look(hub, secret)


def test_a_paused_picture_stays_paused_after_a_label(hub: ServedHub, secret: str) -> None:
    fields = {"csrf": session.csrf_token(secret), "sample_id": keep_sample(hub, "paused"), "label": "one"}

    answer = send_form(hub, "/label", secret=secret, still="1", **fields)

    assert answer.headers["location"] == "/?still=1#samples"


def test_the_picture_is_never_renewed_under_somebody_who_types_a_label(hub: ServedHub, secret: str) -> None:
    hub.join("typing").send((RecordClass.SAMPLE, make_sample(model="unreleased")))

    page = look(hub, secret)

    assert '<input name="label"' in page
    assert 'http-equiv="refresh"' not in page
    assert 'http-equiv="refresh"' in look(hub, secret, "/?still=0")


def test_a_form_that_was_not_made_for_the_session_changes_nothing(hub: ServedHub, secret: str) -> None:
    sample_id = keep_sample(hub, "forged")

    answer = send_form(hub, "/label", secret=secret, csrf="0" * 64, sample_id=sample_id, label="zero")

    assert answer.status == 403
    unlabelled = hub.call("GET", f"{paths.SAMPLES}?node=forged&unlabelled=true").json
    assert isinstance(unlabelled, list)
    assert len(unlabelled) == 1


def test_another_site_cannot_log_somebody_in(hub: ServedHub) -> None:
    answer = send_form(hub, "/login", site="cross-site", token=hub.token)

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_an_unknown_sample_is_an_error_page(hub: ServedHub, secret: str) -> None:
    answer = send_form(hub, "/label", secret=secret, csrf=session.csrf_token(secret), sample_id="none", label="x")

    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")


def test_a_session_may_read_the_api_and_change_it_only_with_its_own_token(hub: ServedHub, secret: str) -> None:
    cookie = {"Cookie": f"{session.COOKIE}={secret}", "Content-Type": "application/json"}
    intended = {**cookie, session.CSRF_HEADER: session.csrf_token(secret)}
    body = b'{"name": "by-cookie"}'

    read = hub.call("GET", paths.NODES, token="", headers=cookie)
    forged = hub.call("POST", paths.NODE_TOKENS, token="", body=body, headers=cookie)
    meant = hub.call("POST", paths.NODE_TOKENS, token="", body=body, headers=intended)

    assert [read.status, forged.status, meant.status] == [200, 403, 200]


def test_logging_out_ends_the_session(hub: ServedHub) -> None:
    secret = cookie_of(send_form(hub, "/login", token=hub.token)).value

    answer = send_form(hub, "/logout", secret=secret, csrf=session.csrf_token(secret))
    after = hub.call("GET", "/", token="", headers={**HTML, "Cookie": f"{session.COOKIE}={secret}"})

    assert answer.status == 303
    assert cookie_of(answer).value == ""
    assert (after.status, after.headers["location"]) == (303, "/login")
