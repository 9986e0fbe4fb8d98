"""Which role the groups of an identity provider give: the first rule that fits counts, and no rule means no role."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ganglion.core.errors import InvalidName, InvalidRequest, InvalidSettings
from ganglion.trust.roles import Role, Scope, parse_role, parse_scope


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Members of `group` get this role."""

    group: str
    role: Role
    scope: Scope


def parse_rules(texts: Iterable[str]) -> list[GroupRule]:
    """Read rules as settings have them: GROUP=ROLE or GROUP=ROLE@SITE+SITE. Raises: InvalidSettings."""
    return [_parse(text) for text in texts]


def role_for(groups: Sequence[str], rules: Sequence[GroupRule]) -> tuple[Role, Scope] | None:
    """Return what the first rule gives whose group is among these."""
    return next(((rule.role, rule.scope) for rule in rules if rule.group in groups), None)


def _parse(text: str) -> GroupRule:
    group, _, rest = text.rpartition("=")
    role, at, sites = rest.partition("@")
    if not group or (at and not sites):
        raise InvalidSettings(f"hub.identity.provider.roles: {text!r} is no GROUP=ROLE or GROUP=ROLE@SITE+SITE")
    try:
        scope = parse_scope(sites.split("+") if sites else [], [])
        return GroupRule(group, parse_role(role), scope)
    except (InvalidRequest, InvalidName) as error:
        raise InvalidSettings(f"hub.identity.provider.roles: {text!r}: {error.message}") from error
