"""Attacks 31, 32, 40, 42 and 43: on the audit chain, and by people and programs that reach for more than they have."""

import json
import resource
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ganglion.adapters.argon2_passwords import Argon2Passwords
from ganglion.core.errors import Overloaded
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.entrypoints.settings.people import IdentitySettings
from ganglion.hub.domain.people.login_gate import LoginLimits
from ganglion.ports.passwords import PasswordLimits
from ganglion.trust import audit
from ganglion.trust.audit import Link
from ganglion.wire import codec, paths
from ganglion.wire.desired import NodeReport
from ganglion.wire.records import Batch, Envelope, RecordClass
from integration.hub_api_world import FACTS, Answer, CallingNode, ServedHub, make_package, serving

_AT_NS = 1_790_000_000_000_000_000
PASSWORD = "correct horse battery staple"
IDENTITY = IdentitySettings(
    # Many tries on purpose, and each as costly as outside of tests.
    logins=LoginLimits(tries_per_minute_max=1_000_000, tries_free_max=1_000_000),
    passwords=PasswordLimits(memory_kib=65_536, passes=1),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def hub(data: Path) -> Iterator[ServedHub]:
    with serving(HubSettings(data_dir=str(data), port=0, identity=IDENTITY)) as served:
        yield served


def account(hub: ServedHub, name: str, role: str, **scope: list[str]) -> str:
    reply = hub.post(paths.ACCOUNTS, {"name": name, "role": role, **scope}).json
    assert isinstance(reply, dict)
    return str(reply["token"])


def program(hub: ServedHub, role: str, **scope: list[str]) -> str:
    reply = hub.post(paths.PROGRAM_TOKENS, {"name": "ci", "role": role, **scope}).json
    assert isinstance(reply, dict)
    return str(reply["token"])


def links(hub: ServedHub, query: str) -> list[dict[str, object]]:
    found = hub.call("GET", f"{paths.AUDIT}?{query}").json
    assert isinstance(found, list)
    return found


def verify(hub: ServedHub, *kept: object, writer: str = "hub") -> dict[str, object]:
    answer = hub.post(paths.AUDIT_VERIFICATION, {"writer": writer, "kept": list(kept)}).json
    assert isinstance(answer, dict)
    return answer


def kinds(verification: dict[str, object]) -> set[object]:
    faults = verification["faults"]
    assert isinstance(faults, list)
    return {fault["kind"] for fault in faults}


def tamper(data: Path, statement: str) -> None:
    """Do what somebody does who can write into the hub's database."""
    with closing(sqlite3.connect(data / "control.db")) as database:
        changed = database.execute(statement).rowcount
        database.commit()
    assert changed >= 1


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (
            "UPDATE audit SET document = CAST(replace(document, 'account', 'weather') AS BLOB) WHERE number = 3",
            "edited",
        ),
        ("DELETE FROM audit WHERE number = 3", "missing"),
        ("DELETE FROM audit WHERE number > 3", "truncated"),
        (
            "UPDATE audit SET document = (SELECT b.document FROM audit b WHERE b.number = 4) WHERE number = 3",
            "reordered",
        ),
    ],
    ids=["edit", "delete", "truncate", "reorder"],
)
def test_attack_31_what_was_done_to_the_audit_chain_is_reported(
    hub: ServedHub, data: Path, statement: str, kind: str
) -> None:
    for name in ("ada", "bob", "eve"):
        account(hub, name, "viewer")
    before = verify(hub)
    assert before["faults"] == []

    tamper(data, statement)

    assert kind in kinds(verify(hub))


def test_attack_31_a_history_without_an_end_is_found_with_a_checkpoint_that_was_kept_elsewhere(
    hub: ServedHub, data: Path
) -> None:
    account(hub, "ada", "viewer")
    kept = verify(hub)["checkpoint"]

    tamper(data, "DELETE FROM audit WHERE number > 2")
    tamper(data, "DELETE FROM checkpoints")

    assert kinds(verify(hub)) == set()
    assert kinds(verify(hub, kept)) == {"truncated"}


def test_attack_32_two_histories_of_one_node_raise_an_alarm(hub: ServedHub) -> None:
    node = hub.join("gate")

    def tell(number: int, head: str) -> None:
        report = NodeReport(
            incarnation=node.identity.incarnation,
            revision=0,
            models=(),
            facts=FACTS,
            epoch="e1",
            made=0,
            waiting=0,
            audit_number=number,
            audit_hash=head,
        )
        assert node.call("POST", paths.REPORT, codec.encode_json(report)).status == 204

    for number, head in ((3, "a"), (3, "a"), (5, "b")):
        tell(number, head)
    assert links(hub, "action=audit.forked") == []

    for number, head in ((5, "c"), (5, "c"), (4, "d")):
        tell(number, head)

    forks = links(hub, "action=audit.forked")
    assert [link["actor"] for link in forks] == [f"node:{node.identity.node_id}"] * 2
    assert [link["facts"]["reported"] for link in forks] == ["d", "c"]  # type: ignore[index]  # JSON
    assert verify(hub)["faults"] == []


def test_attack_31_a_nodes_chain_that_was_cut_and_written_anew_is_reported(hub: ServedHub) -> None:
    node = hub.join("gate")
    first = node_chain("seen", length=5)
    second = node_chain("other", length=7, after=first[:3])

    send_links(node, first)
    untouched = verify(hub, writer="gate")
    send_links(node, second[3:])

    assert untouched["faults"] == []
    assert kinds(verify(hub, writer="gate")) >= {"reordered"}


def test_attack_31_a_node_that_leaves_links_out_is_reported(hub: ServedHub) -> None:
    node = hub.join("gate")

    send_links(node, [link for number, link in enumerate(node_chain("seen", length=5), 1) if number != 3])

    assert kinds(verify(hub, writer="gate")) == {"missing"}


def node_chain(actor: str, *, length: int, after: Sequence[bytes] = ()) -> list[bytes]:
    """Return links as a node writes them, behind those that are there already."""
    documents = list(after)
    for number in range(len(documents) + 1, length + 1):
        previous = audit.link_hash(documents[-1]) if documents else audit.ORIGIN
        link = Link(
            writer=audit.NODE,
            number=number,
            previous=previous,
            at_ns=number,
            monotonic_ms=number,
            boot="b",
            actor=actor,
            action="update.committed",
        )
        documents.append(link.encode())
    return documents


def send_links(node: CallingNode, documents: Sequence[bytes]) -> None:
    """Let a node send links of its chain, as records of the class that is given up last."""
    begun = node.seq
    records = tuple(
        Envelope(begun + number, RecordClass.AUDIT, _AT_NS + begun + number, document)
        for number, document in enumerate(documents, 1)
    )
    node.seq += len(records)
    batch = Batch(id=f"b{begun}", sent_at_ns=0, epoch="e1", records=records, made=node.seq)
    packed = codec.compress(codec.encode_packed(batch))
    answer = node.call("POST", paths.BATCHES, packed, **{"Content-Type": codec.BATCH_TYPE})
    assert answer.status == 200


def test_attack_40_a_viewer_on_an_operators_call_is_refused_and_written_down(hub: ServedHub) -> None:
    viewer = account(hub, "ada", "viewer")
    hub.join("gate")

    answer = hub.call("POST", f"{paths.NODES}/gate/revoke", token=viewer)

    assert (answer.status, answer.code) == (403, "forbidden")
    (link,) = links(hub, "action=refused")
    assert (link["actor"], link["subject"]) == ("ada", f"POST {paths.NODES}/gate/revoke")


def test_attack_40_a_ci_token_outside_its_scope_is_refused_and_written_down(hub: ServedHub, tmp_path: Path) -> None:
    token = program(hub, "publisher", models=["other"])
    package = make_package(tmp_path).read_bytes()

    answer = hub.call("POST", paths.RELEASES, token=token, body=package)

    assert (answer.status, answer.code) == (403, "forbidden")
    assert hub.call("GET", paths.RELEASES).json == []
    assert [link["actor"] for link in links(hub, "action=refused.forbidden")] == ["token:ci"]


def test_attack_40_a_node_on_a_persons_call_is_refused_and_written_down(hub: ServedHub) -> None:
    node = hub.join("gate")

    answer = node.call("GET", paths.NODES)

    assert (answer.status, answer.code) == (403, "forbidden")
    assert [link["actor"] for link in links(hub, "action=refused.forbidden")] == ["node:gate"]


def test_attack_40_a_refusal_without_end_fills_no_disk(hub: ServedHub) -> None:
    viewer = account(hub, "ada", "viewer")

    for _ in range(100):
        hub.call("GET", paths.ACCOUNTS, token=viewer)

    assert len(links(hub, "action=refused&actor=ada&limit=1000")) == 60


def test_attack_40_nobody_gives_more_than_they_have(hub: ServedHub) -> None:
    scoped = account(hub, "ada", "admin", sites=["north"])

    for role, scope in (("admin", {}), ("viewer", {"sites": ["south"]}), ("viewer", {})):
        answer = hub.post(paths.ACCOUNTS, {"name": "mallory", "role": role, **scope}, token=scoped)
        assert answer.status == 403

    assert hub.post(paths.ACCOUNTS, {"name": "bob", "role": "viewer", "sites": ["north"]}, token=scoped).status == 201


def test_attack_42_a_thousand_logins_at_once_take_no_more_memory_than_a_few(hub: ServedHub) -> None:
    hub.hub.people.passwords.set_password("admin", PASSWORD, by="test")
    try_login(hub, 0)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with ThreadPoolExecutor(64) as clients:
        answers = list(clients.map(lambda number: try_login(hub, number), range(1000)))

    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert {answer.status for answer in answers} <= {401, 503}
    assert 503 in {answer.status for answer in answers}
    assert grown_kib < 4 * IDENTITY.passwords.memory_kib
    assert hub.post(paths.LOGIN, {"name": "admin", "password": PASSWORD}, token="").status == 200


def try_login(hub: ServedHub, number: int) -> Answer:
    return hub.post(paths.LOGIN, {"name": f"name{number}", "password": "wrong"}, token="")


def test_attack_42_no_more_than_a_few_passwords_are_checked_at_once() -> None:
    passwords = Argon2Passwords(PasswordLimits(memory_kib=8192, passes=1, parallel_max=1, waiting_max=1))
    together = threading.Barrier(12)
    outcomes: list[bool | None] = []

    def check() -> None:
        together.wait()
        try:
            outcomes.append(passwords.verify("", "wrong"))
        except Overloaded:
            outcomes.append(None)

    threads = [threading.Thread(target=check) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 12
    assert outcomes.count(False) >= 1


def test_attack_43_a_copied_hub_holds_no_ci_token_password_session_or_link(hub: ServedHub, data: Path) -> None:
    hub.hub.people.passwords.set_password("admin", PASSWORD, by="test")
    session = hub.post(paths.LOGIN, {"name": "admin", "password": PASSWORD}, token="").json
    link = hub.post(f"{paths.ACCOUNTS}/admin/link", {}).json
    assert isinstance(session, dict)
    assert isinstance(link, dict)
    secrets = [
        hub.token,
        program(hub, "viewer"),
        account(hub, "ada", "viewer"),
        session["token"],
        link["path"].partition("=")[2],
        PASSWORD,
    ]

    copied = b"".join(file.read_bytes() for file in sorted(data.rglob("*")) if file.is_file())

    assert not [secret for secret in secrets if secret.encode() in copied or json.dumps(secret).encode() in copied]
