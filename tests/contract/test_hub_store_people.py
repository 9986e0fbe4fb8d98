"""What `ports.people_store` promises, held by the SQLite database and by the fake that unit tests use."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contract.store_rows import audit_row
from ganglion.adapters.hub_store import open_control
from ganglion.core.errors import Conflict
from ganglion.ports.hub_store import ControlStore, CredentialRow
from ganglion.ports.people_store import AccountRow, AuditQuery, CheckpointRow, ProgramTokenRow
from ganglion.testing.memory_store import MemoryControlStore

ADA = AccountRow("ada", "viewer", "porto,lisbon", "", "", "https://login 7", 1, 1.5)
TOKEN = ProgramTokenRow("t1", "ci", "hash", "publisher", "", "digits", "ada", 1.0, 100.0)


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControlStore]:
    opened = open_control(tmp_path / "control.db") if request.param == "sqlite" else MemoryControlStore()
    yield opened
    opened.close()


def numbers(store: ControlStore, query: AuditQuery) -> list[int]:
    with store.read() as tx:
        return [row.number for row in tx.audit(query)]


def test_accounts_are_listed_by_name_and_found_by_name_and_login(store: ControlStore) -> None:
    bea = replace(ADA, name="bea", login="https://login 8")
    with store.write() as tx:
        tx.put_account(bea)
        tx.put_account(replace(ADA, role="admin"))
        tx.put_account(ADA)

    with store.read() as tx:
        assert list(tx.accounts()) == [ADA, bea]
        assert (tx.account("ada"), tx.account("eve")) == (ADA, None)
        assert (tx.account_of_login("https://login 8"), tx.account_of_login("https://login 9")) == (bea, None)


def test_the_credentials_of_one_subject_and_kind_are_removed(store: ControlStore) -> None:
    with store.write() as tx:
        for secret, kind, subject in (("a", "account", "ada"), ("b", "link", "ada"), ("c", "account", "bea")):
            tx.put_credential(CredentialRow(secret, kind, subject, None))
        removed = tx.remove_credentials_of("account", "ada")

    with store.read() as tx:
        left = [tx.credential("a", "account"), tx.credential("b", "link"), tx.credential("c", "account")]
    assert removed == 1
    assert [row is not None for row in left] == [False, True, True]


def test_a_programs_token_is_found_by_its_hash_and_listed_newest_first(store: ControlStore) -> None:
    newer = replace(TOKEN, token_id="t2", secret_hash="other", created_at_s=2.0)
    with store.write() as tx:
        tx.put_program_token(TOKEN)
        tx.put_program_token(newer)
        tx.put_program_token(replace(newer, last_used_at_s=3.0))

    with store.read() as tx:
        assert list(tx.program_tokens()) == [replace(newer, last_used_at_s=3.0), TOKEN]
        assert (tx.program_token("t1"), tx.program_token_of("hash"), tx.program_token_of("no")) == (TOKEN, TOKEN, None)


def test_tokens_that_ended_are_removed(store: ControlStore) -> None:
    with store.write() as tx:
        for number, (expires_at_s, revoked_at_s) in enumerate([(10.0, None), (99.0, 5.0), (99.0, 20.0), (99.0, None)]):
            row = replace(TOKEN, token_id=str(number), secret_hash=str(number))
            tx.put_program_token(replace(row, expires_at_s=expires_at_s, revoked_at_s=revoked_at_s))
        removed = tx.remove_program_tokens(ended_at_s=10.0)

    with store.read() as tx:
        assert (removed, [row.token_id for row in tx.program_tokens()]) == (2, ["2", "3"])


def test_a_chain_has_each_number_once(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_audit(audit_row(1))
        tx.add_audit(audit_row(1, writer="n1"))

    with pytest.raises(Conflict), store.write() as tx:
        tx.add_audit(audit_row(1))


def test_the_head_is_the_newest_link_of_its_writer(store: ControlStore) -> None:
    with store.write() as tx:
        for number in (1, 2, 10, 9):
            tx.add_audit(audit_row(number))
        tx.add_audit(audit_row(99, writer="n1"))

    with store.read() as tx:
        assert (tx.audit_head("hub"), tx.audit_head("n2")) == (audit_row(10), None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (AuditQuery(), [5, 4, 3, 2, 1]),
        (AuditQuery(writer="hub", newest_first=False), [1, 2, 3, 4]),
        (AuditQuery(writer="n1"), [5]),
        (AuditQuery(actor="bea"), [3]),
        (AuditQuery(action="rollout."), [4]),
        (AuditQuery(action="roll%"), []),
        (AuditQuery(subject="n1", limit=2), [5, 4]),
        (AuditQuery(subject="n9"), []),
        (AuditQuery(since_ns=2, until_ns=3), [3, 2]),
        (AuditQuery(writer="hub", after=2, newest_first=False, limit=1), [3]),
    ],
    ids=str,
)
def test_links_are_found_by_what_they_say(store: ControlStore, query: AuditQuery, found: list[int]) -> None:
    with store.write() as tx:
        for row in (
            audit_row(1),
            audit_row(2),
            audit_row(3, actor="bea"),
            audit_row(4, action="rollout.paused"),
            audit_row(5, writer="n1"),
        ):
            tx.add_audit(row)

    assert numbers(store, query) == found


def test_old_links_and_checkpoints_of_a_writer_are_removed(store: ControlStore) -> None:
    with store.write() as tx:
        for number in (1, 2, 3):
            tx.add_audit(audit_row(number))
            tx.put_checkpoint(CheckpointRow("hub", number, "h", 1, b"s"))
        tx.add_audit(audit_row(1, writer="n1"))
        tx.put_checkpoint(CheckpointRow("hub", 3, "h", 2, b"s"))
        removed = (tx.remove_audit("hub", through=2), tx.remove_checkpoints("hub", below=2))

    with store.read() as tx:
        points = [(point.number, point.at_ns) for point in tx.checkpoints("hub")]
    assert (removed, points) == ((2, 1), [(2, 1), (3, 2)])
    assert numbers(store, AuditQuery()) == [3, 1]
