import io

import pytest

from ganglion.entrypoints.settings.node import AgentSettings, NodeSettings
from ganglion.entrypoints.settings.tree import child_environment, load_settings, wants_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_child_does_not_inherit_our_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANGLION_CLIENT_TOKEN", "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")

    environment = child_environment()

    assert environment["LANG"] == "C.UTF-8"
    assert "secret" not in environment.values()


def test_a_child_reads_exactly_the_node_settings_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    node = NodeSettings(data_dir="/data, here/node", agent=AgentSettings(flush_s=0.25))

    environment = child_environment(node)
    for variable, text in environment.items():
        monkeypatch.setenv(variable, text)

    assert load_settings().node == node


def test_colour_is_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_user_can_switch_colour_off(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)

    assert not wants_colour(Terminal())
