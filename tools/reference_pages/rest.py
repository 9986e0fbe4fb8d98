"""docs/reference/rest.md: every route of the hub, from the OpenAPI document that the hub itself publishes."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganglion.entrypoints.hub_api import app, openapi
from reference_pages.markdown import code, page, table
from source_tree import one_line

_INTRODUCTION = f"""\
The hub publishes this as OpenAPI at `{openapi.PATH}`. People and programs send the token of an account, nodes their
access token, as `Authorization: Bearer TOKEN`. Every error is a problem document; [errors.md](errors.md) lists the
codes. Times are seconds since 1970, UTC."""

Json = Mapping[str, Any]  # a part of the OpenAPI document, which is JSON of any shape


def render() -> str:
    """Return the page."""
    document: Json = openapi.describe(app.create_routes())
    routes = [
        _route(f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    kinds = [_kind(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return page("REST API", _INTRODUCTION, "## Routes", *routes, "## Bodies", *kinds)


def _route(title: str, operation: Json) -> str:
    body, answer = _body(operation.get("requestBody", {})), ", ".join(_answers(operation.get("responses", {})))
    parts = [
        f"### `{title}`",
        one_line(operation.get("description") or operation.get("summary")),
        _parameters(operation.get("parameters", [])),
        f"Request: {body}" if body else "",
        f"Answer: {answer}" if answer else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _parameters(parameters: list[Json]) -> str:
    shown = [each for each in parameters if each["in"] in {"path", "query"}]
    rows = [
        (
            code(each["name"]),
            each["in"],
            _type(each.get("schema", {})),
            "required" if each.get("required") else code(each.get("schema", {}).get("default", "")),
            one_line(each.get("description") or each.get("schema", {}).get("description")),
        )
        for each in shown
    ]
    return table(("parameter", "in", "type", "default", "meaning"), rows) if rows else ""


def _answers(responses: Json) -> Iterator[str]:
    for status, response in responses.items():
        if status != "default":
            body = _body(response)
            yield f"{status} {body}" if body else f"{status}"


def _body(described: Json) -> str:
    kinds = [
        f"{_type(content['schema'])} as {code(media_type)}" if content.get("schema") else code(media_type)
        for media_type, content in described.get("content", {}).items()
    ]
    return " or ".join(kinds)


def _kind(name: str, schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            code(field),
            _type(described),
            "required" if field in required else code(_json(described.get("default", ""))),
            one_line(described.get("description")),
        )
        for field, described in schema.get("properties", {}).items()
    ]
    fields = table(("field", "type", "default", "meaning"), rows) if rows else _type(schema)
    return "\n\n".join(part for part in (f"### {name}", one_line(schema.get("description")), fields) if part)


def _json(value: object) -> str:
    return "" if isinstance(value, dict | list) else str(value)


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for joint in ("anyOf", "oneOf", "allOf"):
        if joint in schema:
            return " or ".join(_type(each) for each in schema[joint])
    if schema.get("type") == "array":
        return _array(schema)
    if "enum" in schema:
        return " or ".join(code(value) for value in schema["enum"])
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type", "anything"))


def _array(schema: Json) -> str:
    if schema.get("prefixItems"):
        return "[" + ", ".join(_type(each) for each in schema["prefixItems"]) + "]"
    return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
