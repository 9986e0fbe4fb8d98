from pathlib import Path

import pytest

from ganglion.core.errors import DiskUnusable, InvalidSettings
from ganglion.entrypoints.cli.logins import Login, LoginFile

PORTO = Login("https://porto:8443", "t-1", "pem-1")
LISBON = Login("https://lisbon:8443", "t-2", "pem-2")


@pytest.fixture
def logins(tmp_path: Path) -> LoginFile:
    return LoginFile(tmp_path / "config" / "logins.json")


def test_without_a_login_there_is_none(logins: LoginFile) -> None:
    assert logins.find() is None
    assert logins.remove() is None


def test_the_last_login_is_used_and_earlier_ones_are_found_by_address(logins: LoginFile) -> None:
    logins.add(PORTO)
    logins.add(LISBON)

    assert logins.find() == LISBON
    assert logins.find(PORTO.hub) == PORTO


def test_logging_in_again_replaces_the_token(logins: LoginFile) -> None:
    logins.add(PORTO)
    logins.add(Login(PORTO.hub, "t-3", PORTO.ca_pem))

    assert logins.read().by_hub == {PORTO.hub: Login(PORTO.hub, "t-3", PORTO.ca_pem)}


def test_logging_out_of_one_hub_leaves_the_other(logins: LoginFile) -> None:
    logins.add(PORTO)
    logins.add(LISBON)

    assert logins.remove(PORTO.hub) == PORTO.hub
    assert logins.find() == LISBON
    assert logins.remove() == LISBON.hub
    assert logins.find() is None


def test_a_damaged_file_is_named_and_left_for_inspection(logins: LoginFile) -> None:
    logins.path.parent.mkdir()
    logins.path.write_bytes(b"{")

    with pytest.raises(InvalidSettings, match=r"logins\.json is damaged"):
        logins.add(PORTO)

    assert logins.path.read_bytes() == b"{"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file, not a directory", encoding="utf-8")

    with pytest.raises(DiskUnusable, match="config"):
        LoginFile(tmp_path / "config" / "logins.json").add(PORTO)
