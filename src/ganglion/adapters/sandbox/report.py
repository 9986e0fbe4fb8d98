"""What sandbox and child say to each other: a job as an argument, one outcome on a pipe."""

from typing import Final

import msgspec

from ganglion.ports.sandbox import Trial
from ganglion.ports.sandbox_limits import SandboxLimits
from ganglion.trust.model_files.limits import ModelFileLimits

READY: Final = b"ready\n"
"""The child's first line: from here on, whatever ends it is the model's doing."""
REPORT_BYTES_MAX: Final = 100_000
_REASON_LENGTH_MAX = 2000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do."""

    directory: str
    limits: SandboxLimits
    gate: ModelFileLimits


class Refusal(msgspec.Struct, frozen=True):
    """Why the version did not pass: the code of an error of ours, and its message."""

    code: str
    message: str


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    trial: Trial | None = None
    refusal: Refusal | None = None


def encode_job(job: Job) -> str:
    """Return a job as one argument."""
    return msgspec.json.encode(job).decode("utf-8")


def decode_job(text: str) -> Job:
    """Return the job in an argument of ours."""
    return msgspec.json.decode(text, type=Job)


def encode_outcome(outcome: Trial | Refusal) -> bytes:
    """Return what the child writes at its end."""
    if isinstance(outcome, Trial):
        return msgspec.json.encode(_Outcome(trial=outcome))
    return msgspec.json.encode(_Outcome(refusal=Refusal(outcome.code, outcome.message[:_REASON_LENGTH_MAX])))


def decode_outcome(data: bytes) -> Trial | Refusal | None:
    """Return what the child wrote; None when that is nothing whole. The child is not trusted: a model ran in it."""
    try:
        outcome = msgspec.json.decode(data, type=_Outcome)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return outcome.trial or outcome.refusal
