"""Bodies as routes take and give them: strict JSON for people, wire messages for nodes."""

from collections.abc import Callable, Coroutine
from typing import Annotated

import msgspec
from fastapi import Depends, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.hub_api.unknown_fields import unknown_field
from ganglion.wire import codec

VALUES_MANY = 5000
"""A body with more values is a large one."""
SCHEMA_REF = "#/components/schemas/{name}"


class _StrictRequest(Request):
    """JSON without NaN and Infinity, which would pass every `<` that guards a limit, and without unknown fields."""

    kind: object = None
    """What the body has to be."""

    async def json(self) -> object:
        try:
            body = codec.decode_json(await self.body(), object)
        except InvalidRequest as error:
            # FastAPI passes on only this class, and replaces every other with words that tell nothing.
            raise HTTPException(400, error.message.replace("object:", "body:", 1)) from error
        if told := unknown_field(self.kind, body) or first_misfit(self.kind, body):
            raise HTTPException(400, told)
        return body


class StrictRoute(APIRoute):
    """A route that reads its body through the codec instead of the lenient standard parser."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        """Return the route's own function, fed with strict requests."""
        serve = super().get_route_handler()
        kind = self.body_field.field_info.annotation if self.body_field else None

        async def serve_strictly(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            strict.kind = kind
            return await serve(strict)

        return serve_strictly


def first_misfit(kind: object, body: object) -> str:
    """Say what of a large body is not of its type, the first place alone; empty: nothing, or it is a small one.

    The framework tells every place at once, and of a million of them would make a gigabyte of complaints.
    """
    if kind is None or not _is_large(body):
        return ""
    try:
        msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        return f"body: {error}"
    return ""


def _is_large(body: object) -> bool:
    """Say whether more than `VALUES_MANY` values stand in a body."""
    count, inner = 0, [body]
    while inner:
        each = inner.pop()
        values = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        count += len(values)
        if count > VALUES_MANY:
            return True
        inner += [value for value in values if isinstance(value, dict | list)]
    return False


async def _raw(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_raw)]


def message_reply(message: msgspec.Struct) -> Response:
    """Return a wire message as JSON."""
    return Response(codec.encode_json(message), media_type=codec.JSON_TYPE)


def takes(kind: type[msgspec.Struct], media_type: str = codec.JSON_TYPE) -> dict[str, object]:
    """Describe a wire message as a request body, for OpenAPI."""
    return {"requestBody": {"required": True, "content": _content(kind, media_type)}}


def takes_file(media_type: str, text: str) -> dict[str, object]:
    """Describe a file as a request body, for OpenAPI."""
    schema = {"type": "string", "format": "binary", "description": text}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def gives(kind: type[msgspec.Struct], text: str) -> dict[int | str, dict[str, object]]:
    """Describe a wire message as the reply, for OpenAPI."""
    return {200: {"description": text, "content": _content(kind, codec.JSON_TYPE)}}


def gives_file(media_type: str, text: str) -> dict[int | str, dict[str, object]]:
    """Describe bytes as the reply, for OpenAPI."""
    return {200: {"description": text, "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}}


def _content(kind: type[msgspec.Struct], media_type: str) -> dict[str, object]:
    return {media_type: {"schema": {"$ref": SCHEMA_REF.format(name=kind.__name__)}}}
