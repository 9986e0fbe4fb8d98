"""What people and programs may do: five rights, four roles that bundle them, and the scope of a role.

`docs/reference/permissions.md` says which call needs which right. A scope only ever takes away: a role for some
sites or groups may do nothing that concerns other nodes or the whole fleet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ganglion.core.errors import InvalidRequest
from ganglion.core.identity_errors import Forbidden
from ganglion.core.ids import parse_name

SCOPE_MAX = 100
"""Names in one scope."""
GROUP = "group:"
"""Before the name of a group where sites are named; no site's name has a colon."""


class Role(StrEnum):
    """What a person or a program is to this hub."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    PUBLISHER = "publisher"
    ADMIN = "admin"


class Right(StrEnum):
    """What a call needs."""

    READ = "read"
    """Look at nodes, rollouts, releases, results."""
    CURATE = "curate"
    """Label samples, build data sets."""
    OPERATE = "operate"
    """Enrol and revoke nodes, start and stop rollouts, read the audit chain."""
    PUBLISH = "publish"
    """Release packages of models."""
    ADMINISTER = "administer"
    """Accounts, programs' tokens, the roles and keys of signed metadata."""


_RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.OPERATOR: frozenset({Right.READ, Right.CURATE, Right.OPERATE}),
    Role.PUBLISHER: frozenset({Right.READ, Right.CURATE, Right.PUBLISH}),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which nodes and models a role is for; empty means all."""

    sites: tuple[str, ...] = ()
    """Where: sites by name, and groups of nodes as `group:NAME`. A node of any of them is inside."""
    models: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the names of the groups among the places."""
        return tuple(place.removeprefix(GROUP) for place in self.sites if place.startswith(GROUP))

    def has_site(self, site: str) -> bool:
        """Tell whether this whole site is inside. A group has no site, whoever is in it."""
        return not self.sites or site in self.sites

    def has_node(self, site: str, groups: Iterable[str]) -> bool:
        """Tell whether a node on this site and in these groups is inside."""
        return self.has_site(site) or not set(self.groups).isdisjoint(groups)

    def has_group(self, group: str) -> bool:
        """Tell whether this whole group is inside."""
        return not self.sites or GROUP + group in self.sites

    def has_model(self, model: str) -> bool:
        """Tell whether this model is inside."""
        return not self.models or model in self.models

    def covers(self, other: "Scope") -> bool:
        """Tell whether `other` allows nothing that this does not."""
        return _is_within(other.sites, self.sites) and _is_within(other.models, self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: proven, and with what it may do."""

    name: str
    role: Role
    scope: Scope = Scope()
    kind: str = "account"
    """account, or token for a program."""

    @property
    def actor(self) -> str:
        """Return how the audit chain names this caller."""
        return self.name if self.kind == "account" else f"{self.kind}:{self.name}"

    def has(self, right: Right) -> bool:
        """Tell whether the role has this right somewhere."""
        return right in _RIGHTS[self.role]

    def check(self, right: Right) -> None:
        """Raises: Forbidden: the role has not this right."""
        if not self.has(right):
            raise Forbidden(f"this call needs the right to {right.value}, which the role {self.role.value} has not")

    def check_site(self, site: str) -> None:
        """Raises: Forbidden: the role is for other sites."""
        if not self.scope.has_site(site):
            raise Forbidden(f"the role {self.role.value} of {self.actor} is not for the site {site}")

    def check_group(self, group: str) -> None:
        """Raises: Forbidden: the role is for others."""
        if not self.scope.has_group(group):
            raise Forbidden(f"the role {self.role.value} of {self.actor} is not for the group {group}")

    def check_node(self, name: str, site: str, groups: Iterable[str]) -> None:
        """Raises: Forbidden: the role is for other nodes."""
        if not self.scope.has_node(site, groups):
            raise Forbidden(f"the role {self.role.value} of {self.actor} is not for the node {name} on the site {site}")

    def check_model(self, model: str) -> None:
        """Raises: Forbidden: the role is for other models."""
        if not self.scope.has_model(model):
            raise Forbidden(f"the role {self.role.value} of {self.actor} is not for the model {model}")

    def check_whole_fleet(self) -> None:
        """Raises: Forbidden: the role is for some sites, and this call concerns all."""
        if self.scope.sites:
            raise Forbidden(f"this call concerns every node; the role of {self.actor} is for {_said(self.scope.sites)}")

    def check_unlimited(self) -> None:
        """Raises: Forbidden: the role is for some sites or models."""
        self.check_whole_fleet()
        if self.scope.models:
            raise Forbidden(
                f"this call concerns every model; the role of {self.actor} is for {_said(self.scope.models)}"
            )

    def check_can_give(self, role: Role, scope: Scope) -> None:
        """Raises: Forbidden: nobody hands on more than they have."""
        if not (_RIGHTS[role] <= _RIGHTS[self.role] and self.scope.covers(scope)):
            raise Forbidden(f"{self.actor} cannot give the role {role.value}: it allows more than their own")


def parse_role(text: str) -> Role:
    """Raises: InvalidRequest: no role has this name."""
    try:
        return Role(text)
    except ValueError as error:
        raise InvalidRequest(f"role must be one of {_said([role.value for role in Role])}") from error


def parse_scope(sites: "list[str] | tuple[str, ...]", models: "list[str] | tuple[str, ...]") -> Scope:
    """Return a scope of names that names can be; a group stands among the sites as `group:NAME`.

    Raises: InvalidName, InvalidRequest: too many.
    """
    if max(len(sites), len(models)) > SCOPE_MAX:
        raise InvalidRequest(f"a scope names at most {SCOPE_MAX} sites and as many models")
    return Scope(
        tuple(sorted({_parse_place(place) for place in sites})),
        tuple(sorted({parse_name(model, what="model") for model in models})),
    )


def _parse_place(text: str) -> str:
    if text.startswith(GROUP):
        return GROUP + parse_name(text.removeprefix(GROUP), what="group")
    return parse_name(text, what="site")


def _is_within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return not outer or (bool(inner) and set(inner) <= set(outer))


def _said(names: "list[str] | tuple[str, ...]") -> str:
    return ", ".join(names)
