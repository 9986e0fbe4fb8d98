"""The client and the commands against a real hub."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import structlog
import yaml
from typer.testing import CliRunner, Result

from ganglion.core.errors import Conflict, NotFound
from ganglion.core.identity_errors import CaMismatch, Unauthenticated
from ganglion.entrypoints.cli.tree import tree
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca, offered_ca
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire.desired import ModelStatus
from ganglion.wire.people_resources import AccountRequest
from ganglion.wire.records import EventRecord, RecordClass, ResultRecord
from ganglion.wire.resources import DatasetManifest, DatasetRequest, LabelRequest, TokenRequest
from ganglion.wire.rollout_resources import RolloutRequest
from integration.hub_api_world import ServedHub, make_package, make_sample, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    """One hub for all: every test here uses names of its own. Its log must not mix with what commands print."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with serving(HubSettings(data_dir=str(tmp_path_factory.mktemp("hub")), port=0)) as hub:
        yield hub
    structlog.reset_defaults()


@pytest.fixture
def client(served: ServedHub) -> Iterator[HubClient]:
    with HubClient(served.url, ca_pem=served.hub.tls.ca_path.read_bytes(), token=served.token) as connected:
        yield connected


class Cli:
    """Commands of one user, who has a configuration directory of their own."""

    def __init__(self, home: Path, served: ServedHub) -> None:
        self._environment = {"XDG_CONFIG_HOME": str(home), "HOME": str(home), "NO_COLOR": "1"}
        self._served = served
        self._runner = CliRunner()

    def run(self, *words: str) -> Result:
        return self._runner.invoke(tree(words), words, env=self._environment)

    def output(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, result.exception
        return result.stdout

    def login(self) -> None:
        self.output("login", self._served.url, "--token", self._served.token, "--ca-pin", self._served.hub.tls.ca_pin)


@pytest.fixture
def cli(served: ServedHub, tmp_path: Path) -> Cli:
    user = Cli(tmp_path / "home", served)
    user.login()
    return user


# --- the client -----------------------------------------------------------------------------------


def test_the_authority_that_the_hub_offers_has_the_pin_that_it_prints(served: ServedHub) -> None:
    pin = served.hub.tls.ca_pin

    assert offered_ca(served.url).pin == pin
    assert fetch_ca(served.url, pin) == served.hub.tls.ca_path.read_bytes()
    with pytest.raises(CaMismatch):
        fetch_ca(served.url, "0" * 64)


def test_a_wrong_token_is_refused(served: ServedHub) -> None:
    with (
        HubClient(served.url, ca_pem=served.hub.tls.ca_path.read_bytes(), token="wrong") as stranger,
        pytest.raises(Unauthenticated),
    ):
        stranger.nodes()


def test_a_node_is_listed_shown_and_revoked(served: ServedHub, client: HubClient) -> None:
    served.join("listed", site="porto")

    assert client.node("listed").site == "porto"
    assert "listed" in [node.name for node in client.nodes()]
    client.revoke_node("listed")
    assert client.node("listed").state == "revoked"


def test_a_token_is_for_the_node_that_it_names(client: HubClient) -> None:
    assert client.create_node_token(TokenRequest("token-1")).name == "token-1"


def test_a_new_account_may_ask_at_once(served: ServedHub, client: HubClient) -> None:
    token = client.create_account(AccountRequest("ana"))

    with HubClient(served.url, ca_pem=served.hub.tls.ca_path.read_bytes(), token=token) as ana:
        assert isinstance(ana.nodes(), list)


def test_a_release_comes_back_as_it_was_sent(client: HubClient, tmp_path: Path) -> None:
    package = make_package(tmp_path, model="there-and-back")

    release = client.release(package)
    fetched = client.fetch_package(release.model, release.version, release.variant, tmp_path / "fetched")

    assert fetched == release
    assert client.releases("there-and-back") == [release]
    assert (tmp_path / "fetched").read_bytes() == package.read_bytes()


def test_a_version_is_released_once(client: HubClient, tmp_path: Path) -> None:
    client.release(make_package(tmp_path, model="once"))
    (tmp_path / "changed").mkdir()

    with pytest.raises(Conflict):
        client.release(make_package(tmp_path / "changed", model="once", weights=b"other"))


def test_a_rollout_is_started_held_and_aborted(served: ServedHub, client: HubClient, tmp_path: Path) -> None:
    served.join("rolled-out-to").report()
    client.release(make_package(tmp_path, model="rolled"))

    started = client.start_rollout(RolloutRequest("rolled", "1", stages=["100%"]))
    paused = client.act_on_rollout(started.rollout_id, "pause", reason="lunch")
    aborted = client.act_on_rollout(started.rollout_id, "abort", reason="enough")

    assert [started.state, paused.state, aborted.state] == ["running", "paused", "aborted"]
    assert client.rollout(started.rollout_id) == aborted
    assert started.rollout_id in [each.rollout_id for each in client.rollouts()]


def test_a_rollout_of_what_was_never_released_is_refused(client: HubClient) -> None:
    with pytest.raises(NotFound):
        client.start_rollout(RolloutRequest("unheard-of", "1"))


def test_samples_become_a_data_set_that_arrives_as_it_was_frozen(served: ServedHub, client: HubClient) -> None:
    node = served.join("sampler")
    node.send(*[(RecordClass.SAMPLE, make_sample(model="sampled")) for _ in range(3)])

    samples = client.samples(model="sampled", unlabelled=True)
    stored = client.label([LabelRequest(sample.sample_id, str(i)) for i, sample in enumerate(samples[:2])])
    view = client.build_dataset(DatasetRequest("sampled-set", "sampled"))
    manifest, arrays = client.dataset("sampled-set", view.version)

    assert (len(samples), stored, view.samples) == (3, 2, 2)
    assert sorted(manifest.labels) == ["0", "1"]
    np.testing.assert_array_equal(arrays["pixels"].reshape(2, 4), [[0, 1, 2, 3]] * 2)
    assert len(client.samples(model="sampled", unlabelled=True)) == 1
    assert client.datasets("sampled-set") == [view]


def test_results_are_read_on_from_a_position(served: ServedHub, client: HubClient) -> None:
    node = served.join("answering")
    node.send(*[(RecordClass.RESULT, ResultRecord(f"r{i}", "digits", "1", 900, ("7",), (0.9,))) for i in range(3)])

    first = client.results("answering", limit=2)
    rest = client.results("answering", after=(first[-1].epoch, first[-1].seq))

    assert [each.request_id for each in first + rest] == ["r0", "r1", "r2"]


def test_events_are_read_by_node(served: ServedHub, client: HubClient) -> None:
    served.join("eventful").send((RecordClass.EVENT, EventRecord("update.committed", model="digits", version="1")))

    (event,) = client.events(node="eventful")

    assert (event.name, event.node) == ("update.committed", "eventful")


# --- the commands ---------------------------------------------------------------------------------


def test_every_list_can_be_printed_in_every_form(cli: Cli) -> None:
    for words in (("node",), ("rollout",), ("sample",), ("dataset",), ("event",), ("model",)):
        parsed = json.loads(cli.output(*words, "list", "-o", "json"))

        lines = [json.loads(line) for line in cli.output(*words, "list", "-o", "jsonl").splitlines()]
        assert lines == parsed
        assert yaml.safe_load(cli.output(*words, "list", "-o", "yaml")) == parsed
        assert isinstance(cli.output(*words, "list"), str)


def test_a_node_is_one_line_of_the_table(served: ServedHub, cli: Cli) -> None:
    served.join("tabled", site="porto").report(ModelStatus("digits", "2", "2"))

    (line,) = [line for line in cli.output("node", "list").splitlines() if line.startswith("tabled ")]

    assert {"porto", "active", "digits:2"} <= set(line.split())


def test_labels_go_out_as_csv_and_come_back(served: ServedHub, cli: Cli, client: HubClient, tmp_path: Path) -> None:
    served.join("exporting").send(*[(RecordClass.SAMPLE, make_sample(model="exported")) for _ in range(2)])

    exported = cli.output("sample", "export", "--model", "exported")
    head, first, second = exported.splitlines()
    file = tmp_path / "labels.csv"
    file.write_text(f"{head}\n{first}seven\n{second}\n", encoding="utf-8")
    reply = json.loads(cli.output("sample", "label", "-f", str(file), "-o", "json"))

    assert reply == {"stored": 1}
    assert sorted(sample.label for sample in client.samples(model="exported")) == ["", "seven"]


def test_a_sample_is_shown_with_its_input(served: ServedHub, cli: Cli, client: HubClient) -> None:
    served.join("showing").send((RecordClass.SAMPLE, make_sample(model="shown")))
    (sample,) = client.samples(model="shown")

    shown = cli.output("sample", "show", sample.sample_id)

    assert "LABEL" in shown
    assert "pixels  FP32  [1, 4]\n0 1 2 3" in shown


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,2\n", "columns sample_id and label"),
        (b"sample_id,label\n,7\n", "line 2: a label without a sample_id"),
        (b"\xff\xfe", "not a CSV file in UTF-8"),
    ],
)
def test_a_label_file_that_is_none_is_refused_whole(cli: Cli, tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(content)

    result = cli.run("sample", "label", "-f", str(file))

    assert reason in str(result.exception)


def test_a_data_set_is_fetched_into_a_new_directory(served: ServedHub, cli: Cli, tmp_path: Path) -> None:
    served.join("freezing").send((RecordClass.SAMPLE, make_sample(model="frozen")))
    (sample,) = json.loads(cli.output("sample", "list", "--model", "frozen", "-o", "json"))
    cli.output("sample", "label", sample["sample_id"], "7")
    cli.output("dataset", "build", "frozen-set", "--model", "frozen")

    cli.output("dataset", "fetch", "frozen-set", "1", "--to", str(tmp_path / "set"))

    manifest = msgspec.json.decode((tmp_path / "set" / "manifest.json").read_bytes(), type=DatasetManifest)
    assert manifest.labels == ["7"]
    assert np.load(tmp_path / "set" / f"{manifest.inputs['pixels'].sha256}.npy").shape[0] == 1


def test_the_login_is_for_the_user_s_eyes_only(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "home" / "ganglion" / "logins.json"

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_after_a_logout_nobody_is_logged_in(cli: Cli) -> None:
    cli.output("logout")

    assert isinstance(cli.run("node", "list").exception, Unauthenticated)


def test_a_refused_token_is_not_stored(cli: Cli, served: ServedHub) -> None:
    cli.output("logout")

    refused = cli.run("login", served.url, "--token", "wrong", "--ca-pin", served.hub.tls.ca_pin)

    assert isinstance(refused.exception, Unauthenticated)
    assert isinstance(cli.run("node", "list").exception, Unauthenticated)


def test_a_program_needs_no_login(cli: Cli, served: ServedHub) -> None:
    cli.output("logout")
    options = ("--hub", served.url, "--token", served.token, "--ca-pin", served.hub.tls.ca_pin)

    assert json.loads(cli.output("node", "list", "-o", "json", *options)) is not None


def test_promoting_names_the_stage_that_was_looked_at(
    served: ServedHub, cli: Cli, client: HubClient, tmp_path: Path
) -> None:
    for name in ("staged-1", "staged-2"):
        served.join(name).report()
    client.release(make_package(tmp_path, model="staged"))
    words = ("rollout", "start", "staged:1", "--stages", "1,100%", "--gate", "soak_s=3600", "-o", "json")
    rollout = json.loads(cli.output(*words))

    promoted = json.loads(cli.output("rollout", "promote", rollout["rollout_id"], "--reason", "seen", "-o", "json"))

    assert (rollout["stage"], promoted["stage"]) == (0, 1)
    assert promoted["history"][-1]["reason"].endswith("seen")
