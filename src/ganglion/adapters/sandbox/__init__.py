"""A process of its own in which an unknown model is tried: it may crash, hang or eat memory there.

`process` starts and ends it and reads its report; `walls` is what it puts around itself before it opens
the model; `report` is what the two say to each other.
"""

from ganglion.adapters.sandbox.process import ProcessSandbox
from ganglion.adapters.sandbox.report import Job, Refusal, decode_job, encode_outcome
from ganglion.adapters.sandbox.walls import MemoryGauge, confine, confine_memory, leave_network

__all__ = [
    "Job",
    "MemoryGauge",
    "ProcessSandbox",
    "Refusal",
    "confine",
    "confine_memory",
    "decode_job",
    "encode_outcome",
    "leave_network",
]
