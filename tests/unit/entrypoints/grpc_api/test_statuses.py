"""Every error has a status, and its text arrives whole."""

from urllib.parse import unquote

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core import errors, identity_errors, serving_errors
from ganglion.core.errors import GanglionError
from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.statuses import status_fields, status_of
from ganglion.wire import problems


@pytest.mark.parametrize("kind", list(problems.all_errors()))
def test_clients_repeat_by_themselves_what_may_succeed_and_nothing_else(kind: type[GanglionError]) -> None:
    status = status_of(kind)

    assert status is not Status.OK
    assert (status in {Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED}) == kind.retryable


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.InvalidRequest, Status.INVALID_ARGUMENT),
        (serving_errors.InputUnusable, Status.INVALID_ARGUMENT),
        (errors.NotFound, Status.NOT_FOUND),
        (errors.TooLarge, Status.RESOURCE_EXHAUSTED),
        (errors.Overloaded, Status.UNAVAILABLE),
        (serving_errors.ModelNotReady, Status.UNAVAILABLE),
        (serving_errors.DeadlineExceeded, Status.DEADLINE_EXCEEDED),
        (identity_errors.Unauthenticated, Status.UNAUTHENTICATED),
        (identity_errors.Forbidden, Status.PERMISSION_DENIED),
        (serving_errors.ModelFailed, Status.INTERNAL),
        (GanglionError, Status.INTERNAL),
    ],
)
def test_an_error_has_the_status_that_clients_expect(kind: type[GanglionError], status: Status) -> None:
    assert status_of(kind("why")) is status


@given(st.sampled_from(Status), st.text(max_size=200))
def test_any_text_arrives_whole_and_in_plain_letters(status: Status, text: str) -> None:
    fields = {str(name): str(value) for name, value in hpack.Decoder().decode(status_fields(status, text))}

    assert fields["grpc-status"] == str(int(status))
    came = fields.get("grpc-message", "")
    assert all(" " <= letter <= "~" for letter in came)
    assert unquote(came) == text.encode(errors="replace").decode()


def test_a_long_text_is_cut_between_letters() -> None:
    fields = {
        str(name): str(value) for name, value in hpack.Decoder().decode(status_fields(Status.UNKNOWN, "\u20ac" * 900))
    }

    assert unquote(fields["grpc-message"]) == "\u20ac" * 341
