"""A table of which nodes have a label or a fact, and indexes of those that are let in no more, and that are silent.

With them few nodes among many are found, and many are counted, without reading all.
"""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import TEXT, key

revision = "0007"
down_revision = "0006"

_FILL = """
INSERT OR IGNORE INTO node_marks (key, value, name)
SELECT * FROM (
    SELECT 'site', site, name FROM nodes
    UNION ALL SELECT 'zone', zone, name FROM nodes
    UNION ALL SELECT 'class', node_class, name FROM nodes
    UNION ALL SELECT fact.key, CAST(fact.value AS TEXT), name
        FROM nodes, json_each(iif(json_valid(CAST(facts AS TEXT)), CAST(facts AS TEXT), '{}')) AS fact
        WHERE fact.key IN ('arch', 'runtime', 'release', 'cores') AND fact.value IS NOT NULL
    UNION ALL SELECT label.key, label.value, name
        FROM nodes, json_each(iif(json_valid(CAST(labels AS TEXT)), CAST(labels AS TEXT), '{}')) AS label
        WHERE label.key NOT IN ('name', 'site', 'zone', 'class', 'arch', 'runtime', 'release', 'cores')
)
ORDER BY 1, 2, 3
"""
_OUT = "revoked_at_s IS NOT NULL OR retired_at_s IS NOT NULL OR quarantined_at_s IS NOT NULL"


def upgrade() -> None:
    """Make the table, and fill it from the nodes that there are."""
    op.create_table(
        "node_marks",
        key("key", TEXT),
        key("value", TEXT),
        key("name", TEXT),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(_FILL)
    op.drop_index("nodes_by_last_seen", "nodes")
    op.create_index("nodes_by_last_seen", "nodes", ["last_seen_at_s", "node_id", "name", "enrolled_at_s"])
    op.create_index("nodes_out", "nodes", ["name"], sqlite_where=sa.text(_OUT))
