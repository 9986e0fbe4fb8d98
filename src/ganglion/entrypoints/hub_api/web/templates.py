"""The page's templates. Everything that goes in is escaped, and a name that is missing is an error."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from ganglion.entrypoints.hub_api.web import words

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    age=words.age,
    commands=words.commands,
    count=words.count,
    day_moment=words.day_moment,
    moment=words.moment,
    share=words.share,
)


def render(name: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: object) -> HTMLResponse:
    """Return the page `name`."""
    return HTMLResponse(_ENVIRONMENT.get_template(name).render(values), status, dict(headers or {}))
