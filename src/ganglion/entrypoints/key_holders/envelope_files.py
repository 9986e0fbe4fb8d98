"""The file that people write limits in: TOML, or JSON, with the fields of `trust.envelope`."""

import json
import tomllib
from pathlib import Path

from ganglion.core.errors import InvalidRequest
from ganglion.trust import envelope
from ganglion.trust.envelope import Envelope


def read_envelope(file: Path) -> Envelope:
    """Return the limits in a file. Raises: InvalidRequest: it cannot be read, or means nothing."""
    try:
        with file.open("rb") as source:
            data = source.read(envelope.BYTES_MAX + 1)
        document = data if file.suffix == ".json" else _as_json(data)
    except OSError as error:
        raise InvalidRequest(f"{file}: {error.strerror}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidRequest(f"{file}: {error}") from error
    try:
        return envelope.parse(document)
    except InvalidRequest as error:
        raise InvalidRequest(f"{file}: {error.message}") from error


def _as_json(data: bytes) -> bytes:
    """TOML knows infinity and dates, which no limit can be: they must not become something else on the way."""
    return json.dumps(tomllib.loads(data.decode()), allow_nan=False).encode()
