import msgspec
import pytest

from ganglion.core import errors, identity_errors
from ganglion.core.errors import GanglionError
from ganglion.wire import problems
from ganglion.wire.problems import Problem, all_errors, error_of, exit_code_of, problem_of, status_of

ERRORS = [kind for kind in all_errors() if kind.__module__.startswith("ganglion.")]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_an_http_error_status_and_an_exit_code_that_is_not_success(kind: type[GanglionError]) -> None:
    assert 400 <= status_of(kind) <= 599
    assert problems.EXIT_FAILED <= exit_code_of(kind) <= problems.EXIT_BROKEN


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_crosses_the_wire_and_is_raised_as_what_it_was(kind: type[GanglionError]) -> None:
    body = msgspec.json.encode(problem_of(kind("the disk is full")))

    error = error_of(msgspec.json.decode(body, type=Problem))

    assert type(error) is kind
    assert error.message == "the disk is full"


@pytest.mark.parametrize("kind", ERRORS)
def test_every_problem_says_what_happened_and_what_to_do(kind: type[GanglionError]) -> None:
    problem = problem_of(kind("detail"))

    assert problem.title.endswith(".")
    assert problem.remedy.endswith(".")
    assert problem.code == kind.code
    assert problem.retryable == kind.retryable


def test_the_code_of_a_newer_release_is_still_an_error_with_its_message() -> None:
    error = error_of(Problem(title="?", status=418, detail="from the future", code="teapot"))

    assert type(error) is GanglionError
    assert error.message == "from the future"


@pytest.mark.parametrize(
    ("kind", "status", "exit_code"),
    [
        (errors.InvalidName, 400, problems.EXIT_USAGE),
        (errors.NotFound, 404, problems.EXIT_NOT_FOUND),
        (errors.Conflict, 409, problems.EXIT_CONFLICT),
        (errors.TooLarge, 413, problems.EXIT_USAGE),
        (errors.HubUnreachable, 503, problems.EXIT_UNAVAILABLE),
        (identity_errors.TokenRefused, 401, problems.EXIT_AUTH),
        (identity_errors.CaMismatch, 403, problems.EXIT_AUTH),
        (errors.DiskUnusable, 507, problems.EXIT_BROKEN),
        (errors.PortInUse, 500, problems.EXIT_BROKEN),
    ],
)
def test_an_error_has_its_own_row_or_its_familys(kind: type[GanglionError], status: int, exit_code: int) -> None:
    assert (status_of(kind), exit_code_of(kind)) == (status, exit_code)


def test_what_may_be_tried_again_says_so_in_its_status() -> None:
    retryable = {status_of(kind) for kind in ERRORS if kind.retryable}

    assert retryable <= {408, 429, 502, 503, 504}
