"""The OpenAPI document is complete: every route, every schema that is named, every error."""

import json
from collections.abc import Iterator

from ganglion.entrypoints.hub_api import openapi
from ganglion.entrypoints.hub_api.app import create_routes
from ganglion.wire import paths

LOGIN = (f"{paths.API}/login", f"{paths.API}/login/requests", f"{paths.API}/login/requests/answer")
"""Who has no proof yet comes here to get one."""
DOCUMENT = json.loads(json.dumps(openapi.describe(create_routes())))


def references(tree: object) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


def operations() -> Iterator[tuple[str, dict[str, dict[str, object]]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_path_of_the_wire_is_described() -> None:
    constants = {value for name, value in vars(paths).items() if name.isupper()} - {paths.API}

    missing = [path for path in constants if not any(known.startswith(path) for known in DOCUMENT["paths"])]

    assert not missing


def test_every_schema_that_is_named_exists() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    missing = {name for name in references(DOCUMENT) if name.removeprefix("#/components/schemas/") not in schemas}

    assert not missing


def test_every_operation_says_what_it_answers_and_how_errors_look() -> None:
    for name, operation in operations():
        responses = operation["responses"]
        assert "application/problem+json" in json.dumps(responses["default"]), name
        assert "422" not in responses, name
        assert any(status.startswith("2") for status in responses), name
        assert operation["description"], name


def test_every_operation_of_the_api_says_who_may_call_it() -> None:
    open_to_all = {paths.CA, paths.JOIN, paths.CHALLENGE, paths.ACCESS, *LOGIN}

    unguarded = {
        name.split()[1]
        for name, operation in operations()
        if name.split()[1].startswith(paths.API) and not operation.get("security")
    }

    assert unguarded == open_to_all


def test_every_body_has_a_schema() -> None:
    orders = (
        "/revoke",
        "/retire",
        "/admit",
        "/rekey",
        "/disable",
        "/renew",
        "/link",
        "/login/requests",
        "/checkpoints",
        "/remove",
        "/segments",
        "/close",
        "/test",
    )
    without_body = (*orders, paths.CHALLENGE, paths.TRUST_ONLINE_KEYS)
    for name, operation in operations():
        if name.startswith("POST") and not name.endswith(without_body):
            content = operation["requestBody"]["content"]
            assert isinstance(content, dict)
            assert all("schema" in part for part in content.values()), name
