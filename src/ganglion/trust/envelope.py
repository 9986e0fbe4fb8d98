"""The envelope: what a hub may ask of nodes at most, signed with a key that need not be on the hub.

It is a TUF target of its own delegated role, and its bytes travel in that role's metadata: it cannot be held back while
its signature is shown, and what people sign is what they read. This module says what a document may say and what can be
read; `trust.limits` says what holds on one node.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from tuf.api.metadata import TargetFile, Targets

from ganglion.core import strict_json
from ganglion.core.errors import InvalidName, InvalidRequest
from ganglion.core.ids import parse_name
from ganglion.core.strict_json import StrictJsonError
from ganglion.trust.roles import Role

ROLE: Final = "envelope"
"""Name of the delegated role."""
PATH: Final = "envelope/limits.json"
"""The one target that the role may sign."""
BYTES_MAX: Final = 131_072
"""Largest document."""

_DOCUMENT = "document"
_MODEL_PATTERN = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._*-]{0,63}")
_SETTING = re.compile(r"[a-z][a-z0-9_]{0,63}(\.[a-z0-9_]{1,64}){1,4}")
_KEY_BEGIN = re.compile(r"[0-9a-f]{8,64}")
_PLACE_HOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
_STARS_MAX = 2
"""Stars in one pattern: matching stays quick whatever a hub sends."""

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=31_622_400.0)]
Text = Annotated[str, msgspec.Meta(max_length=500)]
Value = str | float | bool


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A limit that a reader does not know must not be passed over: the whole document cannot be read then."""


class Bounds(_Strict, frozen=True):
    """Which values one setting may take; what is not given is not bounded."""

    min: float | None = None
    max: float | None = None
    values: tuple[Value, ...] | None = None
    """The only values that are allowed."""


class AllowedModel(_Strict, frozen=True):
    """Models that may run."""

    name: str
    """A name, or a pattern in which `*` stands for any characters."""
    publishers: tuple[str, ...] = ()
    """Keys, by how their ids begin, one of which must have signed the package; empty: the key of the model's role."""


class ArgumentRule(_Strict, frozen=True):
    """What may stand in the place of one argument: one of these values, or what the pattern fits."""

    values: tuple[Text, ...] = ()
    pattern: Text = ""
    """`*` stands for letters, digits, and `.`, `_`, `-`; everything else stands for itself."""


class NamedAction(_Strict, frozen=True):
    """A command line that a node may be asked to run."""

    name: str
    command: tuple[Text, ...]
    """The program by its absolute path, and its arguments; `{name}`, alone, is one that the caller gives."""
    arguments: dict[str, ArgumentRule] = {}
    roles: tuple[Role, ...] = (Role.OPERATOR, Role.ADMIN)
    """Who may ask for it."""
    time_s: Annotated[float, msgspec.Meta(gt=0.0, le=3600.0)] = 30.0
    """After that it is ended."""
    output_bytes: Annotated[int, msgspec.Meta(ge=0, le=262_144)] = 16_384
    """What is kept of its output."""
    directory: Text = "/"
    """Where it runs."""


class Limits(_Strict, frozen=True):
    """Limits that take the place of wider ones; what is left out stays as it was."""

    settings: dict[str, Bounds] = {}
    """By the setting's key: `collection.random_share`, `policy.probation_s`."""
    models: tuple[AllowedModel, ...] | None = None
    """The only models that may run."""
    actions: tuple[NamedAction, ...] | None = None
    """What may be run by name, beside what every node can."""
    built_in: tuple[str, ...] | None = None
    """The only ones of those that every node can: report, collect, sync, restart-serving."""
    assignments_max: Count | None = None
    """Models that one node may be given."""
    package_bytes_max: Count | None = None
    """Size of one package."""
    desired_bytes_max: Count | None = None
    """Size of one desired state."""
    commands_max: Count | None = None
    """Commands that may wait for one node."""
    command_life_s_max: Seconds | None = None
    """How far ahead a command may expire."""


class Scope(_Strict, frozen=True):
    """Limits for some nodes. Every condition that is given must hold; later scopes win over earlier ones."""

    limits: Limits
    sites: tuple[str, ...] = ()
    """Sites at which the nodes joined."""
    nodes: tuple[str, ...] = ()
    """Names of the nodes, or patterns with `*`."""
    labels: dict[str, str] = {}
    """Labels that the node's own settings give it: the hub cannot change them."""


class Envelope(_Strict, frozen=True):
    """The whole document."""

    limits: Limits
    scopes: tuple[Scope, ...] = ()
    schema: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1


def parse(data: bytes) -> Envelope:
    """Return the document if all of it can be read, and means something. Raises: InvalidRequest."""
    if len(data) > BYTES_MAX:
        raise InvalidRequest(f"the envelope has {len(data)} bytes, at most {BYTES_MAX} are read")
    try:
        envelope = msgspec.convert(strict_json.loads(data, what="the envelope"), Envelope)
    except (msgspec.ValidationError, StrictJsonError, RecursionError) as error:
        raise InvalidRequest(f"the envelope cannot be read: {error}") from error
    for limits in (envelope.limits, *(scope.limits for scope in envelope.scopes)):
        _check(limits)
    for scope in envelope.scopes:
        if not (scope.sites or scope.nodes or scope.labels):
            raise InvalidRequest("a scope names no nodes: what holds for all belongs into limits")
    return envelope


def encode(envelope: Envelope) -> bytes:
    """Return the one encoding that is signed."""
    return msgspec.json.encode(envelope, order="sorted")


def target_of(envelope: Envelope) -> TargetFile:
    """Return the signed entry of an envelope."""
    data = encode(envelope)
    digest = hashlib.sha256(data).hexdigest()
    return TargetFile(len(data), {"sha256": digest}, PATH, {"custom": {_DOCUMENT: data.decode()}})


def document_in(targets: Targets) -> bytes:
    """Return the document that verified metadata of the role holds. Raises: InvalidRequest."""
    target = targets.targets.get(PATH)
    if target is None or len(targets.targets) != 1 or targets.delegations is not None:
        raise InvalidRequest(f"the role {ROLE} signs {PATH}, and nothing else")
    custom: object = target.custom
    document = custom.get(_DOCUMENT) if isinstance(custom, Mapping) else None
    data = document.encode("utf-8", "replace") if isinstance(document, str) else b""
    if len(data) != target.length or hashlib.sha256(data).hexdigest() != target.hashes.get("sha256"):
        raise InvalidRequest("the envelope is not the document whose hash is signed")
    return data


def _check(limits: Limits) -> None:
    for key, bounds in limits.settings.items():
        if not _SETTING.fullmatch(key):
            raise InvalidRequest(f"{key[:80]!r} cannot be the key of a setting")
        if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
            raise InvalidRequest(f"{key[:80]}: nothing lies between {bounds.min} and {bounds.max}")
    for model in limits.models or ():
        if not _MODEL_PATTERN.fullmatch(model.name):
            raise InvalidRequest(f"{model.name[:80]!r} cannot be a model's name or pattern")
        unlike = [key for key in model.publishers if not _KEY_BEGIN.fullmatch(key)]
        if unlike:
            raise InvalidRequest(f"{unlike[0][:80]!r} is no key: give 8 to 64 hexadecimal digits of its id")
    for action in limits.actions or ():
        _check_action(action)
    names = [action.name for action in limits.actions or ()]
    if len(set(names)) != len(names):
        raise InvalidRequest("two actions have the same name")


def _action_name(text: str) -> str:
    try:
        return parse_name(text, what="named action")
    except InvalidName as error:
        raise InvalidRequest(error.message) from error


def _check_action(action: NamedAction) -> None:
    name = _action_name(action.name)
    if not action.command or not action.command[0].startswith("/") or not action.directory.startswith("/"):
        raise InvalidRequest(f"{name}: give the program, and the directory, by its absolute path")
    used = [found[1] for part in action.command if (found := _PLACE_HOLDER.fullmatch(part))]
    if sorted(used) != sorted(action.arguments):
        raise InvalidRequest(
            f"{name}: arguments has a rule for each {{name}} of the command, and each stands there once"
        )
    for argument, rule in action.arguments.items():
        if bool(rule.values) == bool(rule.pattern) or rule.pattern.count("*") > _STARS_MAX:
            raise InvalidRequest(
                f"{name}: {argument} has either values or a pattern, and a pattern at most {_STARS_MAX} stars"
            )
