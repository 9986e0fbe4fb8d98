"""What a hub names is of a form that can be meant: nothing else is stored, reported or asked with."""

import msgspec
import pytest

from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.node.domain.orders import bounds, statements
from ganglion.node.domain.orders.bounds import Bounded
from ganglion.trust.limits import BUILT_IN
from ganglion.wire.desired import Assignment, DesiredState, NodeCommand, ReferenceFile
from unit.node.builders import a_desired, an_assignment

HUGE = 10**30
LONG = "x" * 5000


def within(desired: DesiredState, held: DesiredState | None = None) -> Bounded:
    return bounds.bounded(desired, BUILT_IN, held=held)


def a_command(**fields: object) -> NodeCommand:
    plain = NodeCommand(id="c1", name="report", expires_at_s=1.0, person="ada", role="admin")
    return msgspec.structs.replace(plain, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"revision": HUGE},
        {"revision": -1},
        {"root_version_min": HUGE},
        {"envelope_version": -(10**25)},
        {"incarnation": LONG},
        {"incarnation": "a\x1b[2J"},
        {"rekey_of": LONG},
        {"files": (ReferenceFile("table", "0" * 64, HUGE),)},
        {"commands": (a_command(count=HUGE),)},
    ],
)
def test_a_state_with_a_number_or_a_name_that_cannot_be_meant_is_refused_as_a_whole(fields: dict[str, object]) -> None:
    found = within(msgspec.structs.replace(a_desired(2), **fields))

    assert found.desired is None
    assert 0 < len(found.reason) < 300


@pytest.mark.parametrize(
    "fields",
    [
        {"id": LONG},
        {"id": ""},
        {"id": "a\nb"},
        {"name": LONG},
        {"person": LONG},
        {"role": "\x1b]0;root\x07"},
        {"count": -1},
        {"count": 2**40},
        {"arguments": ("x" * 300,)},
        {"arguments": ("a=b",) * 33},
        {"statement": b"x" * 20_000},
        {"statement_key": LONG},
    ],
)
def test_a_command_that_cannot_be_meant_is_refused_and_not_remembered(fields: dict[str, object]) -> None:
    desired = msgspec.structs.replace(a_desired(2), commands=(a_command(**fields), a_command(id="c2")))

    found = within(desired)

    assert found.desired is not None
    assert [command.id for command in found.desired.commands] == ["c2"]
    assert found.refused_commands == ()
    assert found.reason.startswith("command ")


@pytest.mark.parametrize(
    "fields",
    [
        {"version": LONG},
        {"version": "../../etc"},
        {"variant": ""},
        {"sha256": "../" * 20},
        {"runtime": LONG},
        {"rollout_id": "a\x00b"},
        {"statement": b"x" * 20_000},
    ],
)
def test_a_wish_that_cannot_be_meant_is_refused_not_remembered_and_its_model_stays(fields: dict[str, object]) -> None:
    before = a_desired(1, an_assignment("1"))

    found = within(a_desired(2, msgspec.structs.replace(an_assignment("2"), **fields)), held=before)

    assert found.desired is not None
    assert found.desired.assignments == before.assignments
    assert found.refused_wishes == ()
    assert found.kept == {"meter"}
    assert "meter" in found.reason


def with_statement(data: bytes) -> Assignment:
    return msgspec.structs.replace(an_assignment(), statement=data, target_path=LONG)


@pytest.mark.parametrize(
    "data",
    [b'{"x":' + b"[" * 100_000, b'{"node_id": "\xff"}', b"\xff"],
    ids=["deep", "not text", "noise"],
)
def test_a_statement_that_cannot_be_read_is_refused_in_few_words(data: bytes) -> None:
    desired = a_desired(1, with_statement(data))

    with pytest.raises(ArtifactUntrusted, match="cannot be read") as told:
        statements.check_present(desired)

    assert len(told.value.message) < 300
