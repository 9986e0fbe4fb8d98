"""How the in-memory control database selects nodes: by the domain's own words, which the databases are held to."""

from collections import Counter
from collections.abc import Sequence

from ganglion.hub.domain.fleet.selectors import Selector, Term
from ganglion.hub.domain.nodes.lifecycle import Standing, standing_of
from ganglion.hub.services.organisation.groups import facts_of
from ganglion.ports.hub_store import Alternatives, NodeQuery, NodeRow


def meeting(rows: Sequence[NodeRow], query: NodeQuery) -> list[NodeRow]:
    """Return the rows that meet the terms and have one of the standings."""
    asked = [(query.terms,), *query.within] if query.terms else list(query.within)
    return [
        row
        for row in rows
        if all(_is_of(row, alternatives) for alternatives in asked)
        and (not query.standings or standing_of(row).value in query.standings)
    ]


def _is_of(row: NodeRow, alternatives: Alternatives) -> bool:
    selectors = (
        Selector(tuple(Term(each.key, each.values, each.is_negated) for each in terms)) for terms in alternatives
    )
    return any(selector.selects(facts_of(row) if selector.terms else {}) for selector in selectors)


def counted(rows: Sequence[NodeRow]) -> list[tuple[str, str, int]]:
    """Return each site and zone of nodes in service, and how many there are."""
    gone = {Standing.RETIRED, Standing.REVOKED}
    counts = Counter((row.site, row.zone) for row in rows if standing_of(row) not in gone)
    return [(site, zone, count) for (site, zone), count in sorted(counts.items())]
