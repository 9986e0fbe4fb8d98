from pathlib import Path

import pytest

from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.settings.tree import load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "ganglion.toml"


def test_a_file_has_a_table_per_section(config: Path) -> None:
    config.write_text(
        '[hub]\nport = 9000\nhostnames = ["hub.example"]\n[node.serving]\nport = 9001\n', encoding="utf-8"
    )

    settings = load_settings(config)

    assert (settings.hub.port, settings.hub.hostnames, settings.node.serving.port) == (9000, ("hub.example",), 9001)


def test_the_file_may_be_named_by_a_variable_and_an_option_wins(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("[hub]\nport = 9000\ntick_s = 0.5\n", encoding="utf-8")
    monkeypatch.setenv("GANGLION_CONFIG", str(config))

    settings = load_settings(overrides={"hub.port": 9002})

    assert (settings.hub.port, settings.hub.tick_s) == (9002, 0.5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[hub", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"hub = 3", "hub in .* is not a setting"),
        (b"[hub]\nport = { a = 1 }", "hub.port in"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(config: Path, content: bytes, reason: str) -> None:
    config.write_bytes(content)

    with pytest.raises(InvalidSettings, match=reason) as refused:
        load_settings(config)

    assert config.name in refused.value.message


def test_a_file_that_is_not_there_is_an_error_and_not_the_default(config: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read"):
        load_settings(config)
