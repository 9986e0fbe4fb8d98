"""What of a desired state a node takes: all that lies within the limits in force, and nothing else of it.

What is out of bounds is refused by itself, with a reason; the rest goes on. A model whose wish is refused stays as it
is: a refusal never takes a model away. A state that is too large to be meant is refused as a whole.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from ganglion.node.domain.orders import wish_forms
from ganglion.trust.envelope import Bounds
from ganglion.trust.limits import BUILT_IN_ACTIONS, InForce, why_out_of
from ganglion.wire.desired import Assignment, DesiredState, NodeCommand

_POLICY: Final = "policy"
_UNBOUNDED: Final = Bounds()
_NUMBER_MAX: Final = float(1 << 53)
_TEXT_MAX: Final = 2000
_ITEMS_MAX: Final = 100
_REASONS_MAX: Final = 8
_REASON_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Bounded:
    """A desired state without what was refused, and why."""

    desired: DesiredState | None
    """None: nothing of it is taken."""
    refusals: tuple[str, ...] = ()
    refused_wishes: tuple[tuple[Assignment, str], ...] = ()
    """Assignments that are not begun, and why: their models stay as they are."""
    refused_commands: tuple[tuple[str, str], ...] = ()
    """Commands that are not obeyed, by id, and why."""
    left_alone: frozenset[str] = frozenset()
    """Models of wishes that cannot be meant: nothing of such a wish is remembered."""

    @property
    def kept(self) -> frozenset[str]:
        """Return the models that stay as they are."""
        return self.left_alone | {wish.model for wish, _ in self.refused_wishes}

    @property
    def reason(self) -> str:
        """Return the refusals in one line; empty when there are none."""
        more = len(self.refusals) - _REASONS_MAX
        shown = "; ".join(self.refusals[:_REASONS_MAX]) + (f"; and {more} more" if more > 0 else "")
        return shown[:_REASON_MAX]


def bounded(desired: DesiredState, limits: InForce, *, held: DesiredState | None) -> Bounded:
    """Return what a node takes of `desired`; `held` is what it took before, and goes on with what is refused."""
    too_much = _why_too_much(desired, limits)
    if too_much:
        return Bounded(None, (too_much,))
    refusals: list[str] = []
    sections = {
        name: _bounded_section(name, section, getattr(held, name) if held else None, limits, refusals)
        for name, section in _sections(desired)
    }
    meant, left_alone = _meant_assignments(desired, refusals)
    wishes, refused_wishes = _bounded_assignments(meant, limits, held, left_alone)
    refusals += [f"model {wish.model[:64]!r} {wish.version[:64]!r}: {why}" for wish, why in refused_wishes]
    commands, refused = _bounded_commands(desired, limits, refusals)
    taken = msgspec.structs.replace(desired, assignments=wishes, commands=commands, **sections)
    return Bounded(taken, tuple(refusals), refused_wishes, refused, left_alone)


def why_not_published(model: str, signers: tuple[str, ...], limits: InForce) -> str:
    """Return why a package of this model may not run, by the keys that signed it; empty when it may."""
    entries = limits.allowed(model)
    if limits.models is None or any(not entry.publishers for entry in entries):
        return ""
    begins = tuple(begin for entry in entries for begin in entry.publishers)
    # Each key that may sign for the role: with one stranger among them the stranger may have signed.
    if signers and all(signer.startswith(begins) for signer in signers):
        return ""
    return f"the envelope lets {model} run when another publisher has signed it"


def why_no_command(command: NodeCommand, limits: InForce) -> str:
    """Return why a command's name lies outside of the limits; empty when it does not."""
    if command.name in BUILT_IN_ACTIONS:
        return "" if command.name in limits.built_in else "the envelope does not allow it"
    if limits.action(command.name) is None:
        return f"this node does not know the command {command.name[:40]!r}, and no envelope names it"
    return ""


def _why_too_much(desired: DesiredState, limits: InForce) -> str:
    size_bytes = wish_forms.size_bytes_of(desired)
    if size_bytes is None:
        return "it holds a number that cannot be meant"
    counts = (
        ("assignments", len(desired.assignments), limits.assignments_max),
        ("commands", len(desired.commands), limits.commands_max),
        ("bytes", size_bytes, limits.desired_bytes_max),
    )
    for what, count, most in counts:
        if count > most:
            return f"it has {count} {what}, at most {most} are taken"
    models = [wish.model for wish in desired.assignments]
    if len(set(models)) != len(models):
        return "it names a model twice"
    return wish_forms.why_no_state(desired)


def _sections(desired: DesiredState) -> Iterator[tuple[str, msgspec.Struct]]:
    for name in desired.__struct_fields__:
        section = getattr(desired, name)
        if isinstance(section, msgspec.Struct):
            yield name, section


def _bounded_section(
    name: str, section: msgspec.Struct, held: msgspec.Struct | None, limits: InForce, refusals: list[str]
) -> msgspec.Struct:
    changes: dict[str, object] = {}
    for field in section.__struct_fields__:
        key, value = f"{name}.{field}", getattr(section, field)
        why = _why_out(key, value, limits)
        if why:
            refusals.append(f"{key}: {why}")
            before = getattr(held, field) if held else value
            fallback = before if not _why_out(key, before, limits) else getattr(type(section)(), field)
            changes[field] = _inside(limits.settings.get(key, _UNBOUNDED), fallback)
    return msgspec.structs.replace(section, **changes) if changes else section


def _meant_assignments(desired: DesiredState, refusals: list[str]) -> tuple[list[Assignment], frozenset[str]]:
    """Return the assignments that can be meant, and the models of the others."""
    meant: list[Assignment] = []
    left_alone: set[str] = set()
    for wish in desired.assignments:
        why = wish_forms.why_no_wish(wish)
        if why:
            refusals.append(f"model {wish.model[: wish_forms.SHOWN_MAX]!r}: {why}")
            left_alone.add(wish.model)
        else:
            meant.append(wish)
    return meant, frozenset(left_alone)


def _bounded_commands(
    desired: DesiredState, limits: InForce, refusals: list[str]
) -> tuple[tuple[NodeCommand, ...], tuple[tuple[str, str], ...]]:
    commands: list[NodeCommand] = []
    refused: list[tuple[str, str]] = []
    for command in desired.commands:
        no_form = wish_forms.why_no_command(command)
        why = no_form or why_no_command(command, limits)
        if not why:
            commands.append(command)
            continue
        refusals.append(f"command {command.name[: wish_forms.SHOWN_MAX]!r}: {why}")
        if not no_form:
            # By what cannot be an id nothing is remembered, and nothing answered.
            refused.append((command.id, why))
    return tuple(commands), tuple(refused)


def _bounded_assignments(
    meant: Iterable[Assignment], limits: InForce, held: DesiredState | None, left_alone: frozenset[str]
) -> tuple[tuple[Assignment, ...], tuple[tuple[Assignment, str], ...]]:
    before = {wish.model: wish for wish in held.assignments} if held else {}
    wishes = [before[name] for name in sorted(left_alone & before.keys())]
    refused: list[tuple[Assignment, str]] = []
    for wish in meant:
        why = _why_no_assignment(wish, limits)
        if not why:
            wishes.append(wish)
            continue
        refused.append((wish, why))
        if wish.model in before:
            wishes.append(before[wish.model])
    return tuple(wishes), tuple(refused)


def _why_no_assignment(wish: Assignment, limits: InForce) -> str:
    if limits.models is not None and not limits.allowed(wish.model):
        return "the envelope does not let it run here"
    if not 0 <= wish.size_bytes <= limits.package_bytes_max:
        return f"its package has {wish.size_bytes} bytes, at most {limits.package_bytes_max} are brought"
    for field in wish.policy.__struct_fields__:
        key = f"{_POLICY}.{field}"
        why = _why_out(key, getattr(wish.policy, field), limits)
        if why:
            return f"{key}: {why}"
    return ""


def _why_out(key: str, value: object, limits: InForce) -> str:
    bounds = limits.settings.get(key, _UNBOUNDED)
    if isinstance(value, tuple):
        if len(value) > _ITEMS_MAX:
            return f"{len(value)} items, at most {_ITEMS_MAX} are taken"
        return next((why for item in value if (why := why_out_of(bounds, item) or _why_not_sane(item))), "")
    return why_out_of(bounds, value) or _why_not_sane(value)


def _why_not_sane(value: object) -> str:
    if isinstance(value, str):
        return f"a text of {len(value)} characters" if len(value) > _TEXT_MAX else ""
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= _NUMBER_MAX):
        return f"{value:g} is no possible number"
    return ""


def _inside(bounds: Bounds, value: object) -> object:
    """Return the value, or the nearest one inside: a default may lie outside of what an envelope allows."""
    if not why_out_of(bounds, value):
        return value
    if bounds.values:
        return bounds.values[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    lowest = -math.inf if bounds.min is None else bounds.min
    highest = math.inf if bounds.max is None else bounds.max
    nearest = min(max(value, lowest), highest)
    return math.floor(nearest) if isinstance(value, int) else nearest
