"""One table for every error: HTTP status, exit code, and the problem document (RFC 9457)."""

from collections.abc import Iterator

import msgspec

from ganglion.core import delivery_errors, errors, identity_errors, serving_errors
from ganglion.core.errors import GanglionError

PROBLEM_TYPE = "application/problem+json"

_DETAIL_MAX = 8000

EXIT_FAILED, EXIT_USAGE, EXIT_NOT_FOUND, EXIT_AUTH, EXIT_CONFLICT, EXIT_UNAVAILABLE, EXIT_BROKEN = 1, 2, 3, 4, 5, 6, 7

_OUTCOMES: dict[type[GanglionError], tuple[int, int]] = {
    GanglionError: (500, EXIT_FAILED),
    errors.Rejected: (400, EXIT_USAGE),
    errors.NotFound: (404, EXIT_NOT_FOUND),
    errors.Conflict: (409, EXIT_CONFLICT),
    errors.TooLarge: (413, EXIT_USAGE),
    errors.InvalidPackage: (422, EXIT_FAILED),
    errors.TargetMismatch: (422, EXIT_FAILED),
    errors.NotGoodEnough: (422, EXIT_FAILED),
    errors.CheckFailed: (422, EXIT_FAILED),
    errors.GoldenMissing: (422, EXIT_FAILED),
    errors.MissingExtra: (501, EXIT_BROKEN),
    errors.Unavailable: (503, EXIT_UNAVAILABLE),
    delivery_errors.Busy: (429, EXIT_UNAVAILABLE),
    delivery_errors.BodyStalled: (408, EXIT_UNAVAILABLE),
    identity_errors.LoginBlocked: (429, EXIT_UNAVAILABLE),
    identity_errors.ProviderFailed: (502, EXIT_UNAVAILABLE),
    serving_errors.DeadlineExceeded: (504, EXIT_UNAVAILABLE),
    serving_errors.ModelHung: (504, EXIT_UNAVAILABLE),
    errors.Untrusted: (403, EXIT_AUTH),
    identity_errors.Unauthenticated: (401, EXIT_AUTH),
    identity_errors.TokenRefused: (401, EXIT_AUTH),
    errors.Broken: (500, EXIT_BROKEN),
    errors.DiskUnusable: (507, EXIT_BROKEN),
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every error reply. `code` is stable; `detail` is for people."""

    title: str
    status: int
    detail: str
    code: str
    remedy: str = ""
    retryable: bool = False
    type: str = "about:blank"


def status_of(error: GanglionError | type[GanglionError]) -> int:
    """Return the HTTP status of an error: its own row, or its family's."""
    return _outcome(error)[0]


def exit_code_of(error: GanglionError | type[GanglionError]) -> int:
    """Return the exit code of a command that ends with this error."""
    return _outcome(error)[1]


def problem_of(error: GanglionError) -> Problem:
    """Return the problem document for `error`."""
    title = (type(error).__doc__ or error.code).strip().splitlines()[0]
    return Problem(
        title=title,
        status=status_of(error),
        detail=error.message,
        code=error.code,
        remedy=error.remedy,
        retryable=error.retryable,
    )


def error_of(problem: Problem) -> GanglionError:
    """Return the error that `problem` describes, so that a client raises what the server raised."""
    kind = next((kind for kind in all_errors() if kind.code == problem.code), GanglionError)
    # It is logged, stored and told on: a server must not fill a client's disk with one sentence.
    return kind(problem.detail[:_DETAIL_MAX])


def all_errors() -> Iterator[type[GanglionError]]:
    """Yield every error class, families before members."""
    waiting: list[type[GanglionError]] = [GanglionError]
    while waiting:
        kind = waiting.pop(0)
        yield kind
        waiting.extend(kind.__subclasses__())


def _outcome(error: GanglionError | type[GanglionError]) -> tuple[int, int]:
    kind = error if isinstance(error, type) else type(error)
    return next(_OUTCOMES[base] for base in kind.__mro__ if base in _OUTCOMES)
