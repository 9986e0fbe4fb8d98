"""Identifiers. A value of one of these types was parsed once and is valid from then on."""

import re
from typing import NewType

from ganglion.core.errors import InvalidName

NodeId = NewType("NodeId", str)
ModelName = NewType("ModelName", str)
Version = NewType("Version", str)
Variant = NewType("Variant", str)
RolloutId = NewType("RolloutId", str)
SampleId = NewType("SampleId", str)
Digest = NewType("Digest", str)
"""SHA-256 of some bytes, as 64 lower-case hexadecimal digits."""
Epoch = NewType("Epoch", str)
"""Made at random with a node's outbox; (epoch, sequence) names a record for ever."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def parse_name(text: str, *, what: str) -> str:
    """Return `text` if it can name a `what` ("model", "node", …) in a path, a URL and a TUF role.

    Raises: InvalidName: other characters, too long, or "..".
    """
    if _NAME.fullmatch(text) and ".." not in text:
        return text
    raise InvalidName(f"{text[:80]!r} cannot name a {what}")


def parse_digest(text: str) -> Digest:
    """Return `text` as a digest. Raises: InvalidName: not 64 lower-case hexadecimal digits."""
    if _DIGEST.fullmatch(text):
        return Digest(text)
    raise InvalidName(f"{text[:80]!r} is not a SHA-256 digest")


def parse_model_version(text: str) -> tuple[ModelName, Version]:
    """Split "MODEL:VERSION". Raises: InvalidName."""
    model, colon, version = text.partition(":")
    if not colon:
        raise InvalidName(f"{text[:80]!r} should read MODEL:VERSION")
    return ModelName(parse_name(model, what="model")), Version(parse_name(version, what="version"))
