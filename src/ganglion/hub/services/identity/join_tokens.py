"""Join tokens on their way into the database: checked, and kept by hash alone."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.core.ids import parse_name
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.nodes.lifecycle import Standing, standing_of
from ganglion.ports.hub_store import ControlTransaction, JoinTokenRow, NodeRow
from ganglion.trust import bearer
from ganglion.wire.resources import TokenRequest

_SHOWN_MAX = 5


def check(requests: Sequence[TokenRequest], *, life_s_max: float) -> None:
    """Raises: InvalidName, InvalidRequest: a life that is too long, or a name twice."""
    for request in requests:
        for text, what in ((request.name, "node"), (request.site, "site"), (request.zone, "zone")):
            parse_name(text, what=what)
        selectors.changed_labels({}, dict(request.labels))
        if not 0 < request.expires_in_s <= life_s_max:
            raise InvalidRequest(f"expires_in_s must be above 0 and at most {life_s_max:g}")
    twice = [name for name, count in Counter(request.name for request in requests).items() if count > 1]
    if twice:
        raise InvalidRequest(f"a name stands there twice: {_some(twice)}")


def row_of(request: TokenRequest, secret: bytes, *, now_s: float) -> JoinTokenRow:
    """Return what is kept of a token."""
    return JoinTokenRow(
        token_hash=bearer.hash_secret(secret.hex()),
        name=request.name,
        site=request.site,
        zone=request.zone,
        expires_at_s=now_s + request.expires_in_s,
        labels=msgspec.json.encode(request.labels, order="sorted"),
    )


def check_free(tx: ControlTransaction, names: Sequence[str]) -> None:
    """Raises: Conflict: a node has one of the names."""
    taken = [node for name in names if (node := tx.node_by_name(name))]
    if len(names) == 1 and taken:
        raise Conflict(why_taken(taken[0]))
    if taken:
        raise Conflict(f"{len(taken)} of the names are taken: {_some([node.name for node in taken])}")


def why_taken(node: NodeRow) -> str:
    """Say who has a name."""
    if standing_of(node) in {Standing.REVOKED, Standing.RETIRED}:
        return f"the name {node.name} belonged to a node that was {standing_of(node)}: choose another"
    return f"a node named {node.name} is enrolled already"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    return ", ".join(names[:_SHOWN_MAX]) + more
