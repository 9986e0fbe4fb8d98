"""Names of signed packages: models/MODEL/VERSION/VARIANT.ganglion, and nothing else.

TUF's path patterns let `..` through (`models/m1/*/*` matches `models/m1/v1/..`), so every name is
taken apart here, by an allow list, before it is signed, looked up or made into a URL.
"""

from dataclasses import dataclass

from ganglion.core.errors import InvalidName
from ganglion.core.ids import Digest, ModelName, Variant, Version, parse_digest, parse_name
from ganglion.trust import envelope

_SUFFIX = ".ganglion"
_PARTS = 4
_ROLE_PREFIX = "model-"


@dataclass(frozen=True, slots=True)
class TargetPath:
    """The name of one package, taken apart."""

    model: ModelName
    version: Version
    variant: Variant

    def __str__(self) -> str:
        return f"models/{self.model}/{self.version}/{self.variant}{_SUFFIX}"

    def hashed(self, digest: Digest) -> str:
        """Return the name under which a consistent snapshot serves the bytes."""
        return f"models/{self.model}/{self.version}/{digest}.{self.variant}{_SUFFIX}"

    @property
    def role(self) -> str:
        """The one role that may sign this path."""
        return role_of(self.model)


def role_of(model: str) -> str:
    """Return the name of the delegated role of a model."""
    return f"{_ROLE_PREFIX}{model}"


def model_of(role: str) -> str:
    """Return the model whose role this is. Raises: InvalidName: it is no model's role."""
    if not role.startswith(_ROLE_PREFIX):
        raise InvalidName(f"{role[:80]!r} is no model's role; those begin with {_ROLE_PREFIX}")
    return role.removeprefix(_ROLE_PREFIX)


def paths_of(role: str) -> list[str]:
    """Return the paths that a delegated role may sign. Raises: InvalidName: no such role is delegated to."""
    return [envelope.PATH] if role == envelope.ROLE else [pattern_of(model_of(role))]


def check_role(role: str) -> None:
    """Raises: InvalidName: the top-level targets delegate to no role of this name."""
    if role != envelope.ROLE:
        parse_name(model_of(role), what="model")


def pattern_of(model: str) -> str:
    """Return the paths that a model's role may sign. `*` never crosses a slash."""
    return f"models/{model}/*/*"


def parse(text: str) -> TargetPath:
    """Take a target path apart. Raises: InvalidName: it is not the path of a package."""
    parts = text.split("/")
    if len(parts) != _PARTS or parts[0] != "models" or not parts[3].endswith(_SUFFIX):
        raise InvalidName(f"{text[:80]!r} is not of the form models/MODEL/VERSION/VARIANT{_SUFFIX}")
    return TargetPath(
        model=ModelName(parse_name(parts[1], what="model")),
        version=Version(parse_name(parts[2], what="version")),
        variant=Variant(parse_name(parts[3].removesuffix(_SUFFIX), what="variant")),
    )


def parse_hashed(text: str) -> tuple[TargetPath, Digest]:
    """Take the name of a consistent snapshot apart. Raises: InvalidName."""
    directory, _, file_name = text.rpartition("/")
    digest, _, plain_name = file_name.partition(".")
    return parse(f"{directory}/{plain_name}"), parse_digest(digest)
