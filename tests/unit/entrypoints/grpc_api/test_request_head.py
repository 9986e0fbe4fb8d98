"""What the fields of a client say, and which of them are no request at all."""

import hpack
import pytest

from ganglion.entrypoints.grpc_api.request_head import Malformed, RequestHead, check_trailers, request_head
from unit.entrypoints.grpc_api.connection_world import REQUEST


def head(**changes: str | None) -> RequestHead:
    fields = {**REQUEST, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return request_head([(name, value) for name, value in fields.items() if value is not None])


def refused(found: RequestHead) -> dict[str, str]:
    return {str(name): str(value) for name, value in hpack.Decoder().decode(found.refusal)}


def test_a_call_names_its_method_and_its_fields() -> None:
    found = head(x_trace="7")

    assert (found.path, found.refusal, found.timeout_s) == ("/test.Echo/Unary", b"", None)
    assert found.metadata["x-trace"] == "7"


def test_fields_of_one_name_are_joined() -> None:
    found = request_head([*REQUEST.items(), ("k", "1"), ("k", "2")])

    assert found.metadata["k"] == "1,2"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600), ("2M", 120), ("3S", 3), ("40m", 0.04), ("50u", 5e-5), ("0n", 0), ("99999999S", 99_999_999)],
)
def test_a_timeout_has_a_unit(text: str, seconds: float) -> None:
    assert head(grpc_timeout=text).timeout_s == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "S", "1", "1s", "-1S", "123456789S", "1.5S", "1S ", "\u0661S"])
def test_a_timeout_that_is_none_is_an_invalid_argument(text: str) -> None:
    if text.endswith(" "):
        with pytest.raises(Malformed):
            head(grpc_timeout=text)
        return

    assert refused(head(grpc_timeout=text))["grpc-status"] == "3"


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
def test_a_call_has_the_content_type_of_grpc(kind: str) -> None:
    assert not head(content_type=kind).refusal


@pytest.mark.parametrize("kind", [None, "application/json", "application/grpc-web", "application/grpc+json"])
def test_another_content_type_is_refused_with_415(kind: str | None) -> None:
    assert refused(head(content_type=kind))[":status"] == "415"


def test_a_request_that_is_no_post_is_refused_with_405() -> None:
    assert refused(request_head([(":method", "GET"), (":scheme", "http"), (":path", "/")]))[":status"] == "405"


def test_a_call_without_te_is_refused_with_400() -> None:
    assert refused(head(te=None))[":status"] == "400"


def test_an_unknown_encoding_is_unimplemented_and_the_known_ones_are_named() -> None:
    answer = refused(head(grpc_encoding="snappy"))

    assert answer["grpc-status"] == "12"
    assert answer["grpc-accept-encoding"] == "identity,gzip"


def test_gzip_is_known() -> None:
    assert head(grpc_encoding="gzip").is_gzip
    assert not head(grpc_encoding="identity").is_gzip


@pytest.mark.parametrize(
    "fields",
    [
        [(name, value) for name, value in REQUEST.items() if name != ":method"],
        [(name, value) for name, value in REQUEST.items() if name != ":scheme"],
        [(name, value) for name, value in REQUEST.items() if name != ":path"],
        [(name, value or "") for name, value in {**REQUEST, ":path": ""}.items()],
        [*REQUEST.items(), (":path", "/late")],
        [(":path", "/"), *REQUEST.items()],
        [(":status", "200"), *REQUEST.items()],
        [(":unknown", "x"), *REQUEST.items()],
        [*REQUEST.items(), ("Upper", "x")],
        [*REQUEST.items(), ("", "x")],
        [*REQUEST.items(), ("a b", "x")],
        [*REQUEST.items(), ("connection", "close")],
        [*REQUEST.items(), ("keep-alive", "1")],
        [*REQUEST.items(), ("proxy-connection", "1")],
        [*REQUEST.items(), ("transfer-encoding", "chunked")],
        [*REQUEST.items(), ("upgrade", "h3")],
        [*list(REQUEST.items())[:-1], ("te", "gzip")],
        [*REQUEST.items(), ("x", "a\0b")],
        [*REQUEST.items(), ("x", "a\r\nb")],
        [*REQUEST.items(), ("x", " a")],
        [*REQUEST.items(), ("content-length", "-1")],
        [*REQUEST.items(), ("content-length", "1"), ("content-length", "2")],
    ],
)
def test_what_no_request_may_have_is_malformed(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(Malformed):
        request_head(fields)


def test_trailers_have_no_pseudo_fields() -> None:
    check_trailers([("x", "1")])
    with pytest.raises(Malformed):
        check_trailers([(":path", "/")])
