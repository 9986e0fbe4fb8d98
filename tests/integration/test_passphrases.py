"""Where a passphrase comes from when nobody sits at a terminal."""

from pathlib import Path

import pytest

from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.key_holders.passphrases import passphrase_of


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GANGLION_TRUST_PASSPHRASE", "GANGLION_TRUST_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_file_goes_before_the_setting_and_only_its_first_line_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words").write_text("from the file \nsecond line\n", encoding="utf-8")
    monkeypatch.setenv("GANGLION_TRUST_PASSPHRASE", "from the variable")

    from_variable = passphrase_of(None, "?")
    monkeypatch.setenv("GANGLION_TRUST_PASSPHRASE_FILE", str(tmp_path / "words"))

    assert (from_variable, passphrase_of(None, "?")) == ("from the variable", "from the file ")


def test_the_settings_file_may_name_it(tmp_path: Path) -> None:
    config = tmp_path / "ganglion.toml"
    config.write_text('[trust]\npassphrase = "from the settings"\n', encoding="utf-8")

    assert passphrase_of(config, "?") == "from the settings"


def test_without_a_terminal_nobody_is_asked() -> None:
    with pytest.raises(InvalidSettings, match="passphrase_file"):
        passphrase_of(None, "?")


@pytest.mark.parametrize("content", [b"", b"\nsecond", b"\xff\xfe"])
def test_a_file_without_a_passphrase_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "words").write_bytes(content)
    monkeypatch.setenv("GANGLION_TRUST_PASSPHRASE_FILE", str(tmp_path / "words"))

    with pytest.raises(InvalidSettings, match="words"):
        passphrase_of(None, "?")
