"""The hub's two databases on SQLite, through SQLAlchemy Core.

`control.db` holds decisions, `telemetry.db` what nodes report: two files, so that ingest never makes
a person's click wait. The words they are asked in stand in `ports.hub_store` and `ports.telemetry_store`.
"""

from ganglion.adapters.hub_store.control import ControlDatabase, open_control
from ganglion.adapters.hub_store.database import StoreLimits
from ganglion.adapters.hub_store.telemetry import TelemetryDatabase, open_telemetry

__all__ = ["ControlDatabase", "StoreLimits", "TelemetryDatabase", "open_control", "open_telemetry"]
