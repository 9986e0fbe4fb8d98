from pathlib import Path

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.key_holders.envelope_files import read_envelope
from ganglion.trust.envelope import Bounds, Envelope, Limits, Scope

TOML = """
[limits]
assignments_max = 4

[limits.settings]
"agent.report_s" = { min = 5 }

[[scopes]]
sites = ["north"]

[scopes.limits]
assignments_max = 5
"""
JSON = (
    '{"limits": {"assignments_max": 4, "settings": {"agent.report_s": {"min": 5}}},'
    ' "scopes": [{"sites": ["north"], "limits": {"assignments_max": 5}}]}'
)


@pytest.mark.parametrize(("name", "text"), [("limits.toml", TOML), ("limits.json", JSON)])
def test_limits_are_written_as_toml_or_as_json(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert read_envelope(tmp_path / name) == Envelope(
        limits=Limits(assignments_max=4, settings={"agent.report_s": Bounds(min=5.0)}),
        scopes=(Scope(sites=("north",), limits=Limits(assignments_max=5)),),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[limits",
        b"\xff\xfe",
        b"[limits]\nassignments_max = inf",
        b'[limits.settings]\n"agent.report_s" = { max = nan }',
        b"[limits]\nassignments_max = 2026-01-01",
        b"[limits]\nassignment_max = 4",
        b"[limits]\nassignments_max = -1",
        b"x = " + b"[" * 100_000,
        b"#" * 200_000,
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_name_of_the_file(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "limits.toml"
    file.write_bytes(data)

    with pytest.raises(InvalidRequest, match=r"limits\.toml"):
        read_envelope(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="No such file"):
        read_envelope(tmp_path / "none.toml")
