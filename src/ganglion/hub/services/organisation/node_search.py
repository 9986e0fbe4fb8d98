"""From what people write about nodes to what the store is asked."""

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.nodes.lifecycle import Standing
from ganglion.hub.services.organisation.groups import terms_of
from ganglion.ports.hub_store import NodeQuery


def node_query(*, select: str = "", states: str = "", after: str = "", limit: int | None = None) -> NodeQuery:
    """Return the query of a selector and of states that stand there with commas. Raises: InvalidRequest."""
    named = tuple(state.strip() for state in states.split(",") if state.strip())
    known = [standing.value for standing in Standing]
    if unknown := [state for state in named if state not in known]:
        raise InvalidRequest(f"{unknown[0][:40]!r} is no state of a node; there are {', '.join(known)}")
    return NodeQuery(terms=terms_of(selectors.parse(select)), standings=named, after=after, limit=limit)
