"""Files in which a fleet is declared: read strictly, with the line of what is wrong."""

import io
from pathlib import Path

import pytest

from ganglion.core.errors import InvalidRequest, NotFound, TooLarge
from ganglion.entrypoints.fleet import yaml as fleet_yaml

GROUP = """\
apiVersion: ganglion/v1
kind: Group
metadata:
  name: line-3
spec:
  select: line=3
  nodes:
    - gate-1
    - gate-2
"""


def write(tmp_path: Path, text: str, name: str = "fleet.yaml") -> Path:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_a_resource_is_read_with_its_place(tmp_path: Path) -> None:
    (written,) = fleet_yaml.read(write(tmp_path, GROUP))

    assert (written.resource.kind, written.resource.name) == ("Group", "line-3")
    assert written.resource.spec == {"select": "line=3", "nodes": ["gate-1", "gate-2"]}
    assert written.place_of("spec.nodes[1]").endswith("fleet.yaml:9")
    assert written.place_of("spec.select.more").endswith("fleet.yaml:6")
    assert written.place_of("").endswith("fleet.yaml:1")


def test_every_document_of_every_file_of_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, GROUP.replace("line-3", "b"), "deep/b.yml")
    write(tmp_path, f"# two\n---\n{GROUP.replace('line-3', 'a')}---\n{GROUP.replace('line-3', 'c')}", "a.yaml")
    write(tmp_path, "no resource", "README.md")

    assert [each.resource.name for each in fleet_yaml.read(tmp_path)] == ["a", "c", "b"]


@pytest.mark.parametrize("text", ["1.10", "NO", "0o17", "2026-11-21", "1:30"])
def test_what_looks_like_something_else_stays_text(tmp_path: Path, text: str) -> None:
    (written,) = fleet_yaml.read(write(tmp_path, GROUP.replace("line=3", text)))

    assert written.resource.spec["select"] == text


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (GROUP.replace("line=3", ""), ":6:", "has no value"),
        (GROUP + "  select: line=4\n", ":10:", "stands twice"),
        (GROUP + "owner: me\n", ":1:", "no field 'owner'"),
        (GROUP.replace("  name: line-3", "  name: line-3\n  uid: x"), ":1:", "nothing else"),
        (GROUP + "  more: &a x\n  other: *a\n", ":11:", "aliases"),
        ("- a\n- b\n", ":1:", "is a mapping"),
        ("just text", ":1:", "is a mapping"),
        ("a: [", ":", "while parsing"),
        ("{" * 50_000, ":1:", "nested"),
        (GROUP + "  more: [" + "[" * 100_000, ":10:", "nested"),
        (GROUP.replace("line=3", "!!python/name:os.system x"), ":6:", "tags"),
        (GROUP + "\x1b[2J", ":10:", "a character that YAML does not have"),
        (GROUP + "  k\te\x00y: 1", ":10:", "a character that YAML does not have"),
        (GROUP + '"\\e[2J": 1', ":", r"\x1b"),
        (GROUP + "a:\n  b: 1\n c: 2\n", ":12:", "block mapping"),
        ("---\n" * 3 + GROUP.replace("line=3", ""), ":9:", "has no value"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, place: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        fleet_yaml.read(write(tmp_path, text))

    assert f"fleet.yaml{place}" in str(refused.value)
    assert reason in str(refused.value)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n---\n---\n"])
def test_a_file_may_declare_nothing(tmp_path: Path, text: str) -> None:
    assert fleet_yaml.read(write(tmp_path, text)) == []


@pytest.mark.parametrize(("first", "ending"), [("\ufeff", "\n"), ("", "\r\n"), ("", "\r")])
def test_files_of_other_machines_are_read(tmp_path: Path, first: str, ending: str) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_bytes((first + GROUP.replace("\n", ending)).encode())

    (written,) = fleet_yaml.read(file)

    assert written.resource.spec["nodes"] == ["gate-1", "gate-2"]


def test_files_and_directories_that_begin_with_a_dot_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, GROUP)
    write(tmp_path, "on: push\n", ".github/workflows/ci.yaml")
    write(tmp_path, "x", ".hidden.yaml")

    assert [each.resource.name for each in fleet_yaml.read(tmp_path)] == ["line-3"]


def test_a_link_out_of_the_directory_tells_nothing_of_what_it_leads_to(tmp_path: Path) -> None:
    secret, root = write(tmp_path, "the secret", "secret.yaml"), tmp_path / "fleet"
    write(root, GROUP)
    (root / "more.yaml").symlink_to(secret)

    with pytest.raises(InvalidRequest, match="leads out of") as refused:
        fleet_yaml.read(root)

    assert "the secret" not in str(refused.value)


def test_a_link_within_the_directory_is_followed_and_one_to_itself_refused(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").symlink_to(write(tmp_path, GROUP, "..data/fleet.yaml"))
    again = tmp_path / "again"
    again.mkdir()
    (again / "a.yaml").symlink_to(again / "a.yaml")

    assert len(fleet_yaml.read(tmp_path / "more.yaml")) == 1
    with pytest.raises(InvalidRequest, match="cannot be read"):
        fleet_yaml.read(again)


def test_names_of_files_do_not_reach_a_terminal_as_they_are(tmp_path: Path) -> None:
    (written,) = fleet_yaml.read(write(tmp_path, GROUP, "a\x1b[2J\n.yaml"))

    assert written.resource.source.endswith(r"a\x1b[2J\n.yaml:1")


def test_standard_input_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"kind: Group\n\xff")))

    with pytest.raises(InvalidRequest, match="stdin:2: this is not UTF-8"):
        fleet_yaml.read(Path("-"))


def test_an_empty_selector_is_written_with_quotes(tmp_path: Path) -> None:
    (written,) = fleet_yaml.read(write(tmp_path, GROUP.replace("line=3", '""')))

    assert written.resource.spec["select"] == ""


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        fleet_yaml.read(tmp_path)
    with pytest.raises(NotFound):
        fleet_yaml.read(tmp_path / "missing")


def test_files_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_yaml, "BYTES_MAX", 100)

    with pytest.raises(TooLarge):
        fleet_yaml.read(write(tmp_path, GROUP))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InvalidRequest, match="UTF-8"):
        fleet_yaml.read(file)
