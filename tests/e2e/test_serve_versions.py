"""`ganglion serve` with several versions of one model: all answer by name, and by weight if asked to."""

import http.client
import json
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from e2e.serve_world import START_S, Serve, StartServe, put_version
from ganglion.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 0, 0]}]}).encode()


def ask(serve: Serve, version: str = "", *, key: str = "") -> tuple[int, str]:
    """Return the status and the version that answered."""
    path = f"/v2/models/gate/versions/{version}/infer" if version else "/v2/models/gate/infer"
    status, content = serve.post(path, BODY, {"Ganglion-Key": key} if key else {})
    return status, json.loads(content).get("model_version", "")


def has_more(answers: list[tuple[int, int]], than: int) -> bool:
    return len(answers) > than


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in ("1", "2", "10"):
        put_version(tmp_path, version)
    return tmp_path


def test_every_version_of_a_folder_answers_by_its_name_and_the_highest_one_without(
    start: StartServe, folder: Path
) -> None:
    serve = start(folder)

    assert [ask(serve, version) for version in ("1", "2", "10", "")] == [
        (200, "1"), (200, "2"), (200, "10"), (200, "10"),
    ]  # fmt: skip
    assert ask(serve, "3")[0] == http.client.NOT_FOUND
    connection = serve.connect()
    connection.request("GET", "/v2/models/gate")
    document = json.loads(connection.getresponse().read())
    connection.close()
    assert document["versions"] == ["1", "2", "10"]


def test_versions_share_requests_by_weight_and_a_key_stays_where_it_is(start: StartServe, folder: Path) -> None:
    serve = start(folder, "--split", "gate=1:50,10:50")

    by_chance = Counter(ask(serve)[1] for _ in range(60))
    by_key = {key: {ask(serve, key=key)[1] for _ in range(3)} for key in map(str, range(20))}

    assert by_chance.keys() == {"1", "10"}
    assert all(len(versions) == 1 for versions in by_key.values())
    assert ask(serve, "2") == (200, "2")


def test_a_version_alone_in_the_split_that_cannot_be_loaded_takes_nobody_elses_place(
    start: StartServe, folder: Path
) -> None:
    (folder / "gate" / "10" / "model.onnx").write_bytes(b"no model")
    put_version(folder / "other", "1")
    (folder / "other" / "gate").rename(folder / "door")

    serve = start(folder, "--split", "gate=10:1")

    assert ask(serve)[0] == http.client.SERVICE_UNAVAILABLE
    assert serve.post("/v2/models/door/infer", BODY)[0] == http.client.OK


def test_a_split_of_versions_that_are_not_there_is_refused(start: StartServe, folder: Path) -> None:
    with pytest.raises(AssertionError, match=r"serve\.split of model gate"):
        start(folder, "--split", "gate=7:1")


def test_versions_are_swapped_under_load_and_no_request_fails(start: StartServe, tmp_path: Path) -> None:
    put_version(tmp_path, "1")
    serve = start(tmp_path, "--batching", "8")
    is_over, answers = threading.Event(), list[tuple[int, int]]()

    def load() -> None:
        connection = serve.connect()
        while not is_over.is_set():
            connection.request("POST", "/v2/models/gate/infer", BODY)
            response = connection.getresponse()
            document = json.loads(response.read())
            answers.append((response.status, int(document["model_version"])))
        connection.close()

    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    for version in range(2, 8):
        before = len(answers)
        put_version(tmp_path, str(version))
        (tmp_path / "gate" / str(version - 1)).rename(tmp_path / f"old-{version - 1}.gone")
        assert serve.post("/v2/repository/models/gate/load")[0] == http.client.OK
        wait_until(partial(has_more, answers, before + 30), what="answers after the swap", timeout_s=START_S)
    is_over.set()
    for client in clients:
        client.join()

    assert {status for status, _ in answers} == {http.client.OK}
    assert {version for _, version in answers} == set(range(1, 8))
    assert answers[-1][1] == 7


def test_requests_of_many_clients_share_runs_and_the_statistics_tell(start: StartServe, tmp_path: Path) -> None:
    put_version(tmp_path, "1")
    serve = start(tmp_path, "--batching", "gate=8:20000")

    clients = [threading.Thread(target=ask, args=(serve,)) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    connection = serve.connect()
    connection.request("GET", "/v2/models/gate/stats")
    [entry] = json.loads(connection.getresponse().read())["model_stats"]
    connection.request("GET", "/metrics")
    metrics = connection.getresponse().read().decode()
    connection.close()
    sizes = {each["batch_size"]: each["compute_infer"]["count"] for each in entry["batch_stats"]}
    assert entry["inference_count"] == 8
    assert entry["execution_count"] == sum(sizes.values()) < 8
    assert sum(size * count for size, count in sizes.items()) == 8
    assert sum(entry["batches_started"].values()) == entry["execution_count"]
    assert f'ganglion_executions_total{{model="gate",version="1"}} {entry["execution_count"]}' in metrics
    assert "ganglion_batches_total{" in metrics
