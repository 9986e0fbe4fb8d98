"""Whether an order may open a shell: the envelope's word on who, how long, and what is started."""

from dataclasses import replace

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.trust import shell
from ganglion.trust.envelope import ArgumentRule, NamedAction
from ganglion.trust.roles import Role
from ganglion.trust.shell import ShellWish

ACTION = NamedAction(name="shell", command=("/bin/sh",), roles=(Role.ADMIN,), time_s=600.0)
WISH = ShellWish(seconds=300, reason="camera is stuck", columns=100, rows=30)


def test_a_wish_is_read_as_it_was_written() -> None:
    assert shell.wish_in(shell.arguments_of(WISH)) == WISH


def test_a_person_of_a_named_role_may_have_what_the_envelope_allows() -> None:
    shell.check(ACTION, replace(WISH, seconds=600), person="ada", role="admin")


@pytest.mark.parametrize(
    ("action", "wish", "person", "role", "why"),
    [
        (None, WISH, "ada", "admin", "no envelope"),
        (ACTION, replace(WISH, seconds=601), "ada", "admin", "allows 600 s"),
        (ACTION, WISH, "ada", "operator", "role"),
        (ACTION, WISH, "token:ci", "admin", "for a person"),
        (ACTION, WISH, "", "admin", "for a person"),
        (ACTION, WISH, "ada", "", "role"),
    ],
)
def test_anything_else_is_refused(
    action: NamedAction | None, wish: ShellWish, person: str, role: str, why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why):
        shell.check(action, wish, person=person, role=role)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PUBLISHER])
def test_an_envelope_that_names_other_roles_gives_them_no_shell(role: Role) -> None:
    generous = NamedAction(name="shell", command=("/bin/sh",), roles=tuple(Role))

    with pytest.raises(InvalidRequest, match="role"):
        shell.check(generous, WISH, person="ada", role=role.value)


def test_an_envelope_whose_shell_takes_arguments_opens_none() -> None:
    odd = NamedAction(name="shell", command=("/bin/sh", "{x}"), arguments={"x": ArgumentRule(values=("a",))})

    with pytest.raises(InvalidRequest, match="takes arguments"):
        shell.check(odd, WISH, person="ada", role="admin")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("seconds=300", "columns=80", "rows=24"),
        ("seconds=300", "columns=80", "rows=24", "reason=x", "also=y"),
        ("seconds=300", "columns=80", "rows=24", "reason=x", "reason=y"),
        ("seconds=0", "columns=80", "rows=24", "reason=x"),
        ("seconds=3601", "columns=80", "rows=24", "reason=x"),
        ("seconds=1e3", "columns=80", "rows=24", "reason=x"),
        ("seconds=-5", "columns=80", "rows=24", "reason=x"),
        ("seconds=" + "9" * 5000, "columns=80", "rows=24", "reason=x"),
        ("seconds=300", "columns=0", "rows=24", "reason=x"),
        ("seconds=300", "columns=80", "rows=1001", "reason=x"),
        ("seconds=300", "columns=80", "rows=24", "reason="),
        ("seconds=300", "columns=80", "rows=24", "reason= "),
        ("seconds=300", "columns=80", "rows=24", "reason=a\x1b[2J"),
        ("seconds=300", "columns=80", "rows=24", "reason=" + "x" * 161),
    ],
)
def test_an_order_that_does_not_say_all_of_it_properly_opens_no_shell(arguments: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        shell.wish_in(arguments)
