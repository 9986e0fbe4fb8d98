"""Local functions of an ONNX file: how large it is once each call is replaced by the body that it stands for.

Ten functions that call each other ten times are a file of a few hundred bytes, and 10^10 operators in an
engine. A function that calls itself never ends.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ganglion.core.errors import InvalidPackage


class FunctionName(NamedTuple):
    """What a node says to call a function."""

    domain: str
    name: str
    overload: str = ""


@dataclass(slots=True)
class Body:
    """A graph or function with the graphs inside it: how many operators, and which functions it calls how often."""

    nodes: int = 0
    calls: Counter[FunctionName] = field(default_factory=Counter)


def check_expansion(graph: Body, functions: Mapping[FunctionName, Body], *, nodes_max: int) -> None:
    """Raises: InvalidPackage: a function reaches itself, or the whole is larger than `nodes_max`."""
    sizes: dict[FunctionName, int] = {}
    for name in functions:
        _measure(name, functions, sizes, nodes_max + 1)
    if _total(graph, sizes, nodes_max + 1) > nodes_max:
        raise InvalidPackage(f"with its functions it has more than {nodes_max} operators: nodes_max is the limit")


def _measure(
    start: FunctionName, functions: Mapping[FunctionName, Body], sizes: dict[FunctionName, int], enough: int
) -> None:
    """Fill in the size of `start` and all that it reaches. A stack of our own: chains may be long."""
    waiting, open_names = [start], set[FunctionName]()
    while waiting:
        name = waiting[-1]
        unknown = [called for called in functions[name].calls if called not in sizes]
        if name in sizes or not unknown:
            sizes[name] = _total(functions[name], sizes, enough)
            open_names.discard(name)
            waiting.pop()
        elif name in open_names:
            raise InvalidPackage(f"its function {name.name[:80]!r} calls itself")
        else:
            open_names.add(name)
            waiting += unknown


def _total(body: Body, sizes: Mapping[FunctionName, int], enough: int) -> int:
    """Return the size of a body; beyond `enough` nobody needs the number, which may have thousands of digits."""
    return min(enough, body.nodes + sum(times * sizes[name] for name, times in body.calls.items()))
