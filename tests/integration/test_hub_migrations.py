import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ganglion.adapters import hub_store
from ganglion.adapters.hub_store import (
    StoreLimits,
    control_tables,
    migrate,
    open_control,
    open_telemetry,
    telemetry_tables,
)
from ganglion.adapters.hub_store.migrate import _config
from ganglion.core.errors import Conflict, DataCorrupt, DataTooNew, DiskUnusable, Overloaded

Open = Callable[..., hub_store.ControlDatabase | hub_store.TelemetryDatabase]
BOTH = pytest.mark.parametrize("opener", [open_control, open_telemetry], ids=["control", "telemetry"])
PACKAGE = Path(hub_store.__file__).parent


def run_sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(statement).fetchall()
        database.commit()
        return rows


@pytest.mark.parametrize(
    ("opener", "metadata"),
    [(open_control, control_tables.metadata), (open_telemetry, telemetry_tables.metadata)],
    ids=["control", "telemetry"],
)
def test_the_revisions_make_exactly_the_tables_that_the_code_uses(
    tmp_path: Path, opener: Open, metadata: sa.MetaData
) -> None:
    opener(tmp_path / "hub.db").close()

    engine = sa.create_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        strict = connection.exec_driver_sql("PRAGMA table_list").mappings().all()
    engine.dispose()

    assert differences == []
    assert {row["name"] for row in strict if row["strict"]} == set(metadata.tables)


@BOTH
def test_opening_again_changes_nothing(tmp_path: Path, opener: Open) -> None:
    path = tmp_path / "hub.db"
    opener(path).close()
    before = path.read_bytes()

    opener(path).close()

    assert path.read_bytes() == before


def test_what_an_earlier_release_stored_keeps_its_times(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    make_telemetry_of_the_first_release(path)

    store = open_telemetry(path)

    with store.read() as tx:
        record = tx.record("n1", "e1", 1)
        (event,) = tx.events()
        (cursor,) = tx.cursors()
    store.close()
    assert record is not None
    assert (record.at_ns, record.corrected_at_ns, record.payload) == (5, 5, b"x")
    assert (event.at_ns, event.corrected_at_ns) == (7, 7)
    assert (cursor.seq, cursor.clock_error_ns) == (2, 0)


def test_audit_records_of_an_earlier_release_stay_when_its_results_go(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    make_telemetry_of_the_first_release(path)
    run_sql(path, "INSERT INTO records VALUES ('n1', 'e1', 2, 0, 5, 6, x'79')")

    store = open_telemetry(path)

    with store.write() as tx:
        assert tx.remove_records(received_before_ns=None, limit=9) == 1
    with store.read() as tx:
        (audit,) = tx.records(node_id="n1", record_class=0, after=("", 0), limit=9)
    store.close()
    assert (audit.seq, audit.payload) == (2, b"y")


def make_telemetry_of_the_first_release(path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(_config(connection, "telemetry"), "0001")
        connection.exec_driver_sql("INSERT INTO cursors VALUES ('n1', 'e1', 2, 2, x'7b7d', 0)")
        connection.exec_driver_sql("INSERT INTO records VALUES ('n1', 'e1', 1, 2, 5, 6, x'78')")
        connection.exec_driver_sql("INSERT INTO events VALUES ('n1', 'e1', 2, 7, 'a.b', '', '', '', '', x'7b7d')")
    engine.dispose()


@BOTH
def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, opener: Open) -> None:
    path = tmp_path / "hub.db"
    opener(path).close()
    run_sql(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()

    with pytest.raises(DataTooNew, match=r"newer release: revision 9999"):
        opener(path)

    assert path.read_bytes() == before


@BOTH
def test_an_upgrade_that_is_cut_off_leaves_the_database_as_it_was(
    tmp_path: Path, opener: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hub.db"

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "the power went")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", fail)
        with pytest.raises(OSError, match="power"):
            opener(path)

    assert run_sql(path, "SELECT name FROM sqlite_schema") == []
    opener(path).close()


@BOTH
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, opener: Open) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(b"not a database at all " * 500)
    before = path.read_bytes()

    with pytest.raises(DataCorrupt, match=r"hub\.db"):
        opener(path)

    assert path.read_bytes() == before


def test_a_damaged_page_of_the_control_database_is_found_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    open_control(path).close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(DataCorrupt, match=r"control\.db"):
        open_control(path)


@BOTH
def test_a_directory_that_is_missing_is_named(tmp_path: Path, opener: Open) -> None:
    with pytest.raises(DiskUnusable, match=r"missing/hub\.db"):
        opener(tmp_path / "missing" / "hub.db")


def test_a_full_disk_takes_back_the_transaction_and_the_store_goes_on(tmp_path: Path) -> None:
    store = open_control(tmp_path / "control.db")
    with store.write() as tx:
        tx.set_meta("a", "kept")
    with store._database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(DiskUnusable, match="full"), store.write() as tx:
        tx.set_meta("b", "x" * 1_000_000)

    with store.read() as tx:
        assert (tx.meta("a"), tx.meta("b")) == ("kept", None)
    with store.write() as tx:
        tx.set_meta("a", "new")
    store.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    store = open_control(tmp_path / "control.db")

    with pytest.raises(DiskUnusable, match="readonly"), store.read() as tx:
        tx.set_meta("a", "b")

    store.close()


def test_who_waits_too_long_for_the_writer_is_told(tmp_path: Path) -> None:
    store = open_control(tmp_path / "control.db", limits=StoreLimits(wait_s=0.05))

    with store.write(), pytest.raises(Overloaded, match="wait"), store.write():
        raise AssertionError("two transactions write at once")

    with store.write() as tx:
        tx.set_meta("a", "b")
    store.close()


def test_another_process_that_writes_is_waited_for_and_then_told(tmp_path: Path) -> None:
    store = open_control(tmp_path / "control.db", limits=StoreLimits(wait_s=0.05))
    with closing(sqlite3.connect(tmp_path / "control.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(Overloaded, match="locked"), store.write():
            raise AssertionError("two transactions write at once")

    store.close()


def test_every_commit_is_synced_to_disk(tmp_path: Path) -> None:
    store = open_telemetry(tmp_path / "telemetry.db")

    with store._database.writing() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert settings == ["wal", 2, 1]
    store.close()


def test_only_the_owner_can_read_the_databases(tmp_path: Path) -> None:
    store = open_control(tmp_path / "control.db")
    with store.write() as tx:
        tx.set_meta("a", "b")

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "control.db": 0o600,
        "control.db-wal": 0o600,
        "control.db-shm": 0o600,
    }
    store.close()


def test_secrets_do_not_stand_in_errors(tmp_path: Path) -> None:
    store = open_control(tmp_path / "control.db")
    with store._database.writing() as connection:
        connection.execute(sa.insert(control_tables.meta), {"key": "k", "value": "very secret"})

    with pytest.raises(Conflict) as caught, store._database.writing() as connection:
        connection.execute(sa.insert(control_tables.meta), {"key": "k", "value": "very secret"})

    assert "secret" not in caught.value.message
    assert "secret" not in str(caught.value.__cause__)
    store.close()


def test_an_installed_package_brings_its_revisions_along(tmp_path: Path) -> None:
    """The revisions are read as files, so a copy of the package without its sources' neighbours must have them."""
    archive = tmp_path / "package.zip"
    root = PACKAGE.parents[2]
    with zipfile.ZipFile(archive, "w") as packed:
        for path in PACKAGE.parents[1].rglob("*.py"):
            packed.write(path, path.relative_to(root))
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "100% installed")
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from ganglion.adapters import hub_store\n"
        "assert hub_store.__file__.startswith(sys.argv[1]), hub_store.__file__\n"
        "hub_store.open_control(pathlib.Path(sys.argv[2])).close()\n"
    )

    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "100% installed"), str(tmp_path / "control.db")],
        check=True,
        timeout=60,
    )

    newest = max(path.name[1:5] for path in (PACKAGE / "migrations" / "control" / "versions").glob("r*.py"))
    assert run_sql(tmp_path / "control.db", "SELECT version_num FROM alembic_version") == [(newest,)]


def test_accounts_of_before_roles_become_admins_and_their_tokens_still_work(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection, "control"), "0001")
        connection.exec_driver_sql(
            "INSERT INTO credentials VALUES ('h1', 'account', 'ada', NULL), ('h2', 'session', 'h1', 9e9)"
        )
    engine.dispose()

    store = open_control(path)

    with store.read() as tx:
        (account,) = tx.accounts()
        assert (account.name, account.role, account.sites, account.password_hash) == ("ada", "admin", "", "")
        assert tx.credential("h1", "account") is not None
        assert tx.credential("h2", "session") is None
    store.close()
