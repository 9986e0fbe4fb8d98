"""What of a node's report a hub must not forget in a power cut, and what the node soon tells again anyway. Pure."""

import msgspec

from ganglion.wire.desired import ModelStatus, NodeReport

_MOVING = "moving"


def is_progress(before: NodeReport, after: NodeReport) -> bool:
    """Say whether a report tells nothing new but how far updates are that the hub knows of, and counts.

    That an update has begun, and how it has ended, is more than that: only the next report would say it again.
    """
    return _lasting_part(before) == _lasting_part(after)


def _lasting_part(report: NodeReport) -> NodeReport:
    models = tuple(_lasting_part_of(status) for status in report.models)
    return msgspec.structs.replace(report, models=models, made=0, waiting=0, shed={}, sent_bytes={}, machine={})


def _lasting_part_of(status: ModelStatus) -> ModelStatus:
    return msgspec.structs.replace(status, update_state=_MOVING, reason="") if status.update_state else status
