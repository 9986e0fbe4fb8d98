"""Alerts of a hub that runs, and an address that is told: over HTTP, with SQLite, and across a hub that begins anew."""

import io
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ganglion.core.errors import InvalidRequest, InvalidSettings
from ganglion.entrypoints.cli.tree import tree
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.settings.alerts import AlertSettings, TargetSettings
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.entrypoints.settings.tree import load_settings
from ganglion.testing.waiting import wait_until
from ganglion.trust import notification
from ganglion.wire import paths
from integration.alert_receiver import Receiver, receiver
from integration.hub_api_world import ServedHub, serving
from source_tree import ROOT

SECRET = "a secret of both sides"
AT_ONCE = {"condition": "node_silent", "limit": 0.0, "for_s": 0.0, "resolve_after_s": 0.0, "per": "node"}
Open = Callable[[], AbstractContextManager[ServedHub]]


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def opened(tmp_path: Path, told: Receiver) -> Open:
    """Return what serves the hub of this test, again and again."""
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    target = TargetSettings(url=f"{told.url}/hook?key=k3y", secret_file=str(secret), timeout_s=0.3)
    alerts = AlertSettings(
        look_s=0.05,
        queue_look_s=0.05,
        retry_first_s=0.1,
        retry_pause_s_max=0.2,
        targets={"chat": target},
    )
    return lambda: serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0, alerts=alerts))


def fire(hub: ServedHub, name: str = "silent", **fields: object) -> None:
    """Let an alert fire: a node that says nothing is silent at once."""
    hub.join("gate-1")
    assert hub.post(f"{paths.ALERTS}/{name}", {**AT_ONCE, **fields}).status == 200


def stand(hub: ServedHub, name: str = "silent") -> object:
    view = hub.call("GET", f"{paths.ALERTS}/{name}").json
    assert isinstance(view, dict)
    return view["state"]


def test_an_address_is_told_with_a_signature_that_it_can_check(opened: Open, told: Receiver) -> None:
    with opened() as hub:
        fire(hub)
        until(lambda: bool(told.taken))

        body, headers = told.taken[0]
        stamp = headers[notification.TIME_HEADER]
        assert headers[notification.SIGNATURE_HEADER] == f"v1={notification.signature(SECRET, stamp, body)}"
        assert headers["content-type"] == "application/json"
        assert (told.bodies[0]["event"], told.bodies[0]["subjects"][0]["subject"]) == ("firing", "gate-1")
        assert told.bodies[0]["id"] == headers[notification.ID_HEADER]


def test_what_is_not_taken_is_sent_again_until_it_is_and_nowhere_else(opened: Open, told: Receiver) -> None:
    told.answers = [500, 0, 302, 404]
    with opened() as hub:
        fire(hub)
        until(lambda: bool(told.taken))

    assert told.asked == ["/hook?key=k3y"] * 5
    assert len(told.bodies) == 1


def test_a_hub_that_ends_before_a_message_is_taken_delivers_it_when_it_runs_again(opened: Open, told: Receiver) -> None:
    told.answers = [500] * 1000
    with opened() as hub:
        fire(hub)
        until(lambda: bool(told.asked))
    told.answers = []

    with opened():
        until(lambda: bool(told.taken))

    assert [(body["event"], body["alert"]) for body in told.bodies] == [("firing", "silent")]


def test_a_hub_that_runs_again_does_not_tell_twice_what_still_fires(opened: Open, told: Receiver) -> None:
    with opened() as hub:
        fire(hub)
        until(lambda: bool(told.taken))
        token = hub.token
    with opened() as hub:
        asked = len(told.asked)
        # Another alert that fires shows that the hub has looked and sent.
        assert hub.post(f"{paths.ALERTS}/other", AT_ONCE, token=token).status == 200
        until(lambda: len(told.asked) > asked)

    assert [body["alert"] for body in told.bodies] == ["silent", "other"]


def test_a_slow_address_does_not_hold_up_looks_and_is_shown_without_its_secrets(opened: Open, told: Receiver) -> None:
    told.answers = [0] * 1000
    with opened() as hub:
        fire(hub)
        until(lambda: "does not answer" in hub.call("GET", paths.ALERT_TARGETS).body.decode())
        hub.post(f"{paths.ALERTS}/other", AT_ONCE)
        until(lambda: stand(hub, "other") == "firing")
        shown = hub.call("GET", paths.ALERT_TARGETS)
        tried = hub.post(f"{paths.ALERTS}/silent/test", {})

    (target,) = msgspec.json.decode(shown.body, type=list[dict[str, Any]])
    assert (target["name"], target["host"]) == ("chat", told.url.removeprefix("http://"))
    assert target["waiting"] >= 1
    assert "k3y" not in shown.body.decode() + tried.body.decode()
    assert SECRET not in shown.body.decode() + tried.body.decode()


def test_a_test_message_tells_what_came_of_it(opened: Open, told: Receiver) -> None:
    with opened() as hub:
        hub.post(f"{paths.ALERTS}/disk", {"condition": "hub_disk_low", "limit": 0.0})
        good = hub.post(f"{paths.ALERTS}/disk/test", {}).json
        told.answers = [302]
        bad = hub.post(f"{paths.ALERTS}/disk/test", {}).json

    assert good == [{"target": "chat", "is_delivered": True, "trouble": ""}]
    host = told.url.removeprefix("http://")
    trouble = f"{host} answered 302, and redirects are not followed"
    assert bad == [{"target": "chat", "is_delivered": False, "trouble": trouble}]


def test_what_fires_stands_in_metrics_on_the_page_and_in_the_audit_chain(opened: Open) -> None:
    with opened() as hub:
        fire(hub, severity="critical", description="<b>ring the plant</b>")
        until(lambda: stand(hub) == "firing")

        metrics = hub.call("GET", "/metrics").body.decode()
        cookie = f"{session.COOKIE}={hub.hub.accounts.open_session(hub.token)}"
        page = hub.call("GET", "/", token="", headers={"Accept": "text/html", "Cookie": cookie}).body.decode()
        links = hub.call("GET", f"{paths.AUDIT}?action=alert.fired").json

    assert 'ganglion_alerts{alert="silent",severity="critical"} 1.0' in metrics
    assert "gate-1: not heard of for" in page
    assert "&lt;b&gt;ring the plant" in page
    assert [link["subject"] for link in links] == ["silent"]  # type: ignore[attr-defined]  # a list of links


def test_every_condition_is_looked_at_in_real_stores(opened: Open) -> None:
    with opened() as hub:
        node = hub.join("gate-1")
        node.report()
        kinds = hub.call("GET", f"{paths.SCHEMAS}/Alert").json
        assert isinstance(kinds, dict)
        conditions = kinds["$defs"]["AlertCondition"]["enum"]
        for condition in conditions:
            made = {"condition": condition, "for_s": 0, "resolve_after_s": 0}
            assert hub.post(f"{paths.ALERTS}/{condition}", made).status == 200
        fire_at_last = hub.post(f"{paths.ALERTS}/zz-last", AT_ONCE)
        assert fire_at_last.status == 200
        until(lambda: stand(hub, "zz-last") == "firing")
        views = hub.call("GET", paths.ALERTS).json

    assert len(conditions) == 18
    assert [view["trouble"] for view in views] == [""] * 19  # type: ignore[attr-defined]  # a list of views


def test_a_person_does_all_of_it_at_the_command_line(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened() as hub:
        monkeypatch.setenv("GANGLION_CLIENT_HUB", hub.url)
        monkeypatch.setenv("GANGLION_CLIENT_TOKEN", hub.token)
        monkeypatch.setenv("GANGLION_CLIENT_CA_PIN", hub.ca_pin)
        hub.join("gate-1")
        run("alert create silent --when node_silent --limit 0 --for-s 0 --per node --severity critical")
        until(lambda: "critical" in run("alert list --state firing"))
        run("alert silence silent --hours 1 --reason moving")
        shown, told_of = run("alert show silent -o json"), run("alert show silent")
        for wrong in ("--when nonsense", "--when node_silent --severity awful", "--when node_silent --limit nan"):
            with pytest.raises(InvalidRequest, match="--"):
                run(f"alert create wrong {wrong}")
        tried = run("alert test silent")
        history = run("alert history silent")
        targets = run("alert targets")
        run("alert delete silent")
        left = run("alert list -o json")

    assert '"silence_reason": "moving"' in shown
    assert re.search(r"^gate-1 +firing +20", told_of, re.MULTILINE)
    assert ("true" in tried.lower() or "yes" in tried.lower(), "silenced" in history) == (True, True)
    assert "chat" in targets
    # The hub in this process writes its log there as well.
    assert left.strip().endswith("[]")


def test_the_check_on_the_page_takes_what_the_hub_signed_and_nothing_else() -> None:
    page = (ROOT / "docs" / "howto" / "be-told.md").read_text(encoding="utf-8")
    block = textwrap.dedent(page.split("```python\n")[1].split("  ```")[0])
    known: dict[str, Any] = {}
    exec(block, known)

    signed = notification.headers(SECRET, message_id="m1", body=b"{}", now_s=1.0)
    headers = {name.title(): value for name, value in signed.items()}

    assert known["is_ours"](SECRET, headers, b"{}")
    assert not known["is_ours"](SECRET, headers, b"[]")
    assert not known["is_ours"]("another secret, as long", headers, b"{}")
    assert not known["is_ours"](SECRET, {**headers, "Ganglion-Timestamp": "2"}, b"{}")


def test_targets_are_tables_of_the_settings_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hub.toml"
    file.write_text('[hub.alerts.targets.chat]\nurl = "https://a.example"\nseverity_min = "critical"\n')
    from_file = load_settings(file).hub.alerts.targets
    monkeypatch.setenv("GANGLION_HUB_ALERTS_TARGETS", '{"pager": {"url": "https://b.example", "secret": "s"}}')

    assert (list(from_file), from_file["chat"].severity_min) == (["chat"], "critical")
    assert load_settings(file).hub.alerts.targets["pager"].secret == "s"
    file.write_text('[hub.alerts.targets.chat]\nurl = "https://a.example"\nsecret_flie = "x"\n')
    monkeypatch.delenv("GANGLION_HUB_ALERTS_TARGETS")
    with pytest.raises(InvalidSettings, match="secret_flie"):
        load_settings(file)


def until(claim: Callable[[], bool]) -> None:
    wait_until(claim, what="the hub does it", timeout_s=60.0)


def run(line: str) -> str:
    """Run a command and return what it wrote to standard output."""
    written = io.StringIO()
    with redirect_stdout(written):
        tree(line.split())(args=line.split(), standalone_mode=False)
    return written.getvalue()
