"""What may be said of sites, zones and groups, before it is kept. No I/O."""

import re
from collections.abc import Callable

from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import parse_name
from ganglion.hub.domain.fleet import selectors
from ganglion.wire.fleet_resources import GroupDefinition, SiteDefinition, ZoneDefinition

TEXT_MAX = 500
GROUP_NODES_MAX = 10_000
_BYTES_MAX = 2**53
_TIME_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


def checked_group(name: str, group: GroupDefinition) -> GroupDefinition:
    """Return a group that can be kept. Raises: InvalidName, InvalidRequest: nobody could ever be in it."""
    parse_name(name, what="group")
    _check_text(group.description)
    if group.select is None and not group.nodes:
        raise InvalidRequest(f"the group {name} needs a selector, or nodes")
    if len(group.nodes) > GROUP_NODES_MAX:
        raise InvalidRequest(f"a group names at most {GROUP_NODES_MAX} nodes: select them by a label")
    if group.select is not None:
        selectors.parse(group.select)
    nodes = sorted({parse_name(node, what="node") for node in group.nodes})
    return GroupDefinition(select=group.select, nodes=nodes, description=group.description)


def checked_site(name: str, site: SiteDefinition, *, is_time_zone: Callable[[str], bool]) -> SiteDefinition:
    """Return a site that can be kept. Raises: InvalidName, InvalidRequest."""
    parse_name(name, what="site")
    _check_text(site.description)
    if site.time_zone and not (_TIME_ZONE.fullmatch(site.time_zone) and is_time_zone(site.time_zone)):
        raise InvalidRequest(f"{site.time_zone[:80]!r} is no time zone; write it as Europe/Lisbon")
    if not 0 <= site.bytes_per_s_max <= _BYTES_MAX:
        raise InvalidRequest("bytes_per_s_max is a number of bytes per second, or 0 when nobody knows")
    return site


def checked_zone(name: str, zone: ZoneDefinition) -> ZoneDefinition:
    """Return a zone that can be kept. Raises: InvalidName, InvalidRequest."""
    parse_name(name, what="zone")
    _check_text(zone.description)
    return zone


def _check_text(text: str) -> None:
    if len(text) > TEXT_MAX or not text.isprintable():
        raise InvalidRequest(f"a description is one line of at most {TEXT_MAX} characters")
