"""What a scope allows, and what nobody can give."""

import pytest

from ganglion.core.errors import InvalidName
from ganglion.core.identity_errors import Forbidden
from ganglion.trust.roles import Caller, Role, Scope, parse_scope

LINE = Scope(sites=("group:line-3", "porto"))


def test_a_role_for_a_group_and_a_site_is_for_the_nodes_of_either() -> None:
    assert LINE.has_node("faro", ["line-3"])
    assert LINE.has_node("porto", [])
    assert not LINE.has_node("faro", ["line-4"])


def test_a_group_is_no_site() -> None:
    assert not parse_scope(["group:line-3"], []).has_site("line-3")
    assert not parse_scope(["line-3"], []).has_group("line-3")


def test_a_role_without_a_scope_is_for_every_node() -> None:
    assert Scope().has_node("anywhere", [])
    assert Scope().has_group("any")


def test_a_role_for_a_group_is_not_for_the_whole_fleet() -> None:
    with pytest.raises(Forbidden):
        Caller(name="rui", role=Role.OPERATOR, scope=parse_scope(["group:line-3"], [])).check_whole_fleet()


@pytest.mark.parametrize("wider", [Scope(), Scope(sites=("group:line-4",)), Scope(sites=("porto",))])
def test_nobody_gives_a_role_for_nodes_that_are_not_theirs(wider: Scope) -> None:
    admin = Caller(name="rui", role=Role.ADMIN, scope=parse_scope(["group:line-3"], []))

    with pytest.raises(Forbidden):
        admin.check_can_give(Role.VIEWER, wider)


@pytest.mark.parametrize("text", ["group:", "group:a b", "group:group:x", "a:b"])
def test_a_place_that_no_node_could_be_in_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_scope([text], [])
