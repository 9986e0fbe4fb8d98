"""What a node does over HTTP, from its join to its records."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ganglion.entrypoints.settings.hub import HttpSettings, HubSettings, RecordsSettings
from ganglion.testing.waiting import wait_until
from ganglion.wire import codec, paths
from ganglion.wire.desired import DesiredState, ModelStatus
from ganglion.wire.identity import JoinRequest
from ganglion.wire.records import Ack, EventRecord, RecordClass, ResultRecord
from integration.hub_api_world import FACTS, CallingNode, ServedHub, make_package, serving

SOON_S = 10.0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    settings = HubSettings(
        data_dir=str(tmp_path_factory.mktemp("hub")),
        port=0,
        http=HttpSettings(long_polls_per_node_max=1),
        records=RecordsSettings(batch_bytes_max=100_000),
    )
    with serving(settings) as served:
        file = make_package(tmp_path_factory.mktemp("package"))
        assert served.call("POST", paths.RELEASES, body=file.read_bytes()).status == 201
        yield served


def make_result(number: int) -> ResultRecord:
    return ResultRecord(f"r{number}", "digits", "1", 900, ("one",), (0.9,))


def revision_of(node: CallingNode) -> int:
    return codec.decode_json(node.desired(-1, 0).body, DesiredState).revision


def test_the_ca_is_given_to_anybody(hub: ServedHub) -> None:
    answer = hub.call("GET", paths.CA, token="")

    assert answer.status == 200
    assert answer.body == hub.hub.tls.ca_path.read_bytes()


def test_a_join_token_is_good_once(hub: ServedHub) -> None:
    token = hub.post(paths.NODE_TOKENS, {"name": "once"}).json
    assert isinstance(token, dict)
    requests = [JoinRequest(token["token"], key * 64, FACTS) for key in ("a", "b")]

    answers = [hub.call("POST", paths.JOIN, token="", body=codec.encode_json(request)) for request in requests]

    assert [answer.status for answer in answers] == [200, 401]
    assert answers[1].code == "token_refused"


def test_a_node_that_reports_is_in_the_fleet(hub: ServedHub) -> None:
    node = hub.join("reporting", site="south")

    assert node.report(ModelStatus("digits", "1", "1")).status == 204

    view = hub.call("GET", paths.node("reporting")).json
    assert isinstance(view, dict)
    assert (view["site"], view["state"], view["node_class"]) == ("south", "active", "x86_64-4")
    assert view["models"][0]["version"] == "1"
    assert view["last_seen_at_s"] is not None


def test_records_are_stored_once_however_often_they_are_sent(hub: ServedHub) -> None:
    node = hub.join("sending")
    results = [(RecordClass.RESULT, make_result(number)) for number in range(3)]

    first = node.send(*results)
    node.seq = 0
    again = node.send(*results)

    assert codec.decode_json(first.body, Ack) == codec.decode_json(again.body, Ack) == Ack("e1", 3)
    listed = hub.call("GET", f"{paths.RESULTS}?node=sending").json
    assert isinstance(listed, list)
    assert [row["seq"] for row in listed] == [1, 2, 3]
    rest = hub.call("GET", f"{paths.RESULTS}?node=sending&after_epoch=e1&after_seq=2").json
    assert isinstance(rest, list)
    assert [row["request_id"] for row in rest] == ["r2"]


def test_events_of_a_node_are_shown(hub: ServedHub) -> None:
    node = hub.join("telling")

    node.send((RecordClass.EVENT, EventRecord("update.committed", model="digits", version="1")))

    events = hub.call("GET", f"{paths.EVENTS}?node=telling").json
    assert isinstance(events, list)
    assert [event["name"] for event in events] == ["update.committed"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"no zstd", 400, "request_invalid"),
        (codec.compress(b"no batch"), 400, "request_invalid"),
        (codec.compress(b"\0" * 200_000), 413, "too_large"),
    ],
)
def test_a_bad_batch_is_refused(hub: ServedHub, body: bytes, status: int, code: str) -> None:
    node = hub.join(f"bad-batch-{status}-{len(body)}")

    answer = node.call("POST", paths.BATCHES, body)

    assert (answer.status, answer.code) == (status, code)


def test_without_a_change_the_question_is_answered_with_nothing_when_its_time_is_up(hub: ServedHub) -> None:
    node = hub.join("patient")

    answer = node.desired(revision_of(node), 0.1)

    assert (answer.status, answer.body) == (204, b"")


def test_a_new_incarnation_is_always_news(hub: ServedHub) -> None:
    node = hub.join("restored")
    known = revision_of(node)

    answer = node.call("GET", f"{paths.DESIRED}?incarnation=another&revision={known + 9}&wait_s=0")

    assert answer.status == 200


def test_a_rollout_wakes_the_node_that_waits(hub: ServedHub) -> None:
    node = hub.join("woken")
    node.report()
    known = revision_of(node)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(node.desired, known, 30)
        wait_until(lambda: hub.hub.waiters.count, what="the question to wait", timeout_s=SOON_S)
        started = hub.post(paths.ROLLOUTS, {"model": "digits", "version": "1", "stages": ["100%"]})
        answer = waiting.result(timeout=SOON_S)

    assert started.status == 201
    state = codec.decode_json(answer.body, DesiredState)
    assert [assignment.version for assignment in state.assignments] == ["1"]
    rollout = started.json
    assert isinstance(rollout, dict)
    aborted = hub.post(paths.rollout(rollout["rollout_id"], "abort"), {"reason": "enough"}).json
    assert isinstance(aborted, dict)
    assert (aborted["state"], aborted["history"][-1]["actor"]) == ("aborted", "admin")


def test_a_revoked_node_gets_no_answer_even_while_it_waits(hub: ServedHub) -> None:
    node = hub.join("revoked")
    known = revision_of(node)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(node.desired, known, 30)
        wait_until(lambda: hub.hub.waiters.count, what="the question to wait", timeout_s=SOON_S)
        assert hub.post(paths.node("revoked", "revoke"), {}).status == 204
        answer = waiting.result(timeout=SOON_S)

    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert node.report().status == 401


def test_one_node_cannot_wait_more_often_than_the_limit(hub: ServedHub) -> None:
    node = hub.join("doubled")
    known = revision_of(node)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(node.desired, known, 1)
        wait_until(lambda: hub.hub.waiters.count, what="the question to wait", timeout_s=SOON_S)
        answer = node.desired(known, 1)
        waiting.result(timeout=SOON_S)

    assert (answer.status, answer.code) == (503, "overloaded")


@pytest.mark.parametrize("wait_s", ["nan", "-1", "soon"])
def test_a_senseless_waiting_time_is_refused(hub: ServedHub, wait_s: str) -> None:
    node = hub.join(f"senseless-{wait_s.strip('-')}")

    answer = node.call("GET", f"{paths.DESIRED}?wait_s={wait_s}")

    assert (answer.status, answer.code) == (400, "request_invalid")


def test_a_node_may_not_do_what_people_may(hub: ServedHub) -> None:
    node = hub.join("climbing")

    for method, path in (("GET", paths.NODES), ("POST", paths.NODE_TOKENS), ("POST", paths.RELEASES)):
        assert node.call(method, path, b"{}").status == 403


def test_the_count_of_what_was_stored_is_in_the_metrics(hub: ServedHub) -> None:
    node = hub.join("counted")
    node.send((RecordClass.RESULT, make_result(1)))

    text = hub.call("GET", "/metrics").body.decode()

    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures["ganglion_records_stored_total"]) >= 1
    assert float(figures["ganglion_ingest_batches_total"]) >= 1
    assert float(figures["ganglion_releases"]) == 1
    assert float(figures['ganglion_nodes{state="active"}']) >= 1
    assert figures[f'ganglion_http_requests_total{{method="POST",route="{paths.BATCHES}",status="200"}}']
    assert "counted" not in text


def test_stopping_answers_the_waiting_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ThreadPoolExecutor(1) as threads:
        with serving(HubSettings(data_dir=str(tmp_path_factory.mktemp("stopping")), port=0)) as hub:
            node = hub.join("n1")
            known = revision_of(node)
            waiting = threads.submit(node.desired, known, 60)
            wait_until(lambda: hub.hub.waiters.count, what="the question to wait", timeout_s=SOON_S)
            began_s = time.monotonic()

        assert waiting.result(timeout=SOON_S).status == 204
        assert time.monotonic() - began_s < SOON_S
