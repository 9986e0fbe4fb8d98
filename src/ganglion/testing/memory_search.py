"""How the in-memory control database selects nodes: by the domain's own words, which the databases are held to."""

from collections import Counter
from collections.abc import Sequence

from ganglion.hub.domain.lifecycle import Standing, standing_of
from ganglion.hub.domain.selectors import Selector, Term
from ganglion.hub.services.groups import facts_of
from ganglion.ports.hub_store import NodeQuery, NodeRow


def meeting(rows: Sequence[NodeRow], query: NodeQuery) -> list[NodeRow]:
    """Return the rows that meet the terms and have one of the standings."""
    wanted = Selector(tuple(Term(term.key, term.values, is_negated=term.is_negated) for term in query.terms))
    return [
        row
        for row in rows
        if (not query.terms or wanted.selects(facts_of(row)))
        and (not query.standings or standing_of(row).value in query.standings)
    ]


def counted(rows: Sequence[NodeRow]) -> list[tuple[str, str, int]]:
    """Return each site and zone of nodes in service, and how many there are."""
    gone = {Standing.RETIRED, Standing.REVOKED}
    counts = Counter((row.site, row.zone) for row in rows if standing_of(row) not in gone)
    return [(site, zone, count) for (site, zone), count in sorted(counts.items())]
