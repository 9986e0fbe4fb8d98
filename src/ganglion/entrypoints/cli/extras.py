"""Says which extra a command needs, instead of which module Python did not find."""

from collections.abc import Iterator
from contextlib import contextmanager

from ganglion.core.errors import MissingExtra


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Guard the imports of `what`. Raises: MissingExtra: a package outside the base install is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "ganglion":
            raise
        raise MissingExtra(f"{what} needs {error.name}; run: pip install 'ganglion[{extra}]'") from error
