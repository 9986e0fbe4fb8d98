"""Reads an input tree by declared fields: names as people write them, quantities with units, nothing unknown.

Every scalar of the tree is text, so that no number was rounded before it arrived. All problems are reported together.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ganglion.advisor import ranges, units
from ganglion.advisor.given import (
    Field,
    Given,
    Reading,
    implied_by,
    is_quantity,
    names_unit,
    normal,
    quantity_of,
)
from ganglion.advisor.ranges import MISSING, Tree
from ganglion.core.errors import InvalidRequest

_DEPTH_MAX = 16
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


class Section:
    """One mapping of the input. Nesting counts as underscores: `edge: {device: {price: …}}` is edge_device_price."""

    def __init__(self, tree: Mapping[str, Tree], reading: Reading, path: str = "") -> None:
        self.reading = reading
        self.path = path
        self._leaves: dict[str, tuple[str, Tree]] = {}
        self._known: set[str] = set()
        self._used: set[str] = set()
        self._flatten(tree, "", 0)

    def amount(self, wanted: Field) -> Given | None:
        """Return a quantity, or None when it is not there."""
        taken = self._take(wanted)
        if taken is None:
            return None
        path, leaf, unit_of_name = taken
        try:
            # What an error says of a currency names the entry as it was written.
            named = replace(implied_by(path, wanted), id=path)
            given = quantity_of(leaf, named, self.reading, unit_of_name)
        except InvalidRequest as error:
            self.reading.problems.append(f"{path}: {error.message} (as in {wanted.example!r})")
            return None
        return given

    def text(self, name: str, *others: str) -> str:
        """Return words, or nothing."""
        leaf = self._leaf((name, *others))
        if isinstance(leaf, str):
            return "" if leaf.strip().lower() in MISSING else leaf.strip()
        if leaf is not None:
            self.reading.problems.append(f"{self.path}{name}: expected words")
        return ""

    def words(self, name: str, *others: str) -> tuple[str, ...]:
        """Return a list of words; one text is split at commas."""
        leaf = self._leaf((name, *others))
        if isinstance(leaf, str):
            return tuple(each.strip() for each in leaf.split(",") if each.strip().lower() not in MISSING)
        if isinstance(leaf, list):
            return tuple(str(each).strip() for each in leaf if isinstance(each, str))
        return ()

    def choice(self, name: str, choices: Mapping[str, str], *others: str) -> str:
        """Return what a word stands for in `choices` (spelling → meaning), or nothing."""
        word = normal(self.text(name, *others))
        if not word:
            return ""
        if word not in choices:
            allowed = ", ".join(sorted(set(choices.values())))
            self.reading.problems.append(f"{self.path}{name}: {word!r} is none of {allowed}")
            return ""
        return choices[word]

    def flag(self, name: str, *others: str) -> bool | None:
        """Return yes or no, or None when it is not said."""
        word = self.text(name, *others).lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        if word:
            self.reading.problems.append(f"{self.path}{name}: {word!r} is neither yes nor no")
        return None

    def items(self, name: str, *others: str) -> list["Section"]:
        """Return a list of mappings; one mapping of mappings is a list whose keys are names."""
        names = (name, *others)
        leaf = self._leaf(names)
        if isinstance(leaf, list):
            return [self._item(each, f"{self.path}{name}[{index}].") for index, each in enumerate(leaf)]
        if isinstance(leaf, str) and leaf.strip().lower() not in MISSING:
            self.reading.problems.append(f"{self.path}{name}: expected a list")
        return []

    def group(self, name: str, *others: str) -> dict[str, Tree]:
        """Return the entries below a name whose own names are free: {p50: …, p99: …}."""
        found: dict[str, Tree] = {}
        for prefix in (name, *others):
            self._known.add(prefix)
            for key, (_, leaf) in self._leaves.items():
                if key.startswith(f"{prefix}_") and key not in self._used:
                    found[key.removeprefix(f"{prefix}_")] = leaf
                    self._used.add(key)
        return found

    def below(self, name: str) -> dict[str, Tree]:
        """Return what stands below a name without taking it."""
        start = f"{name}_"
        return {key.removeprefix(start): leaf for key, (_, leaf) in self._leaves.items() if key.startswith(start)}

    def quantity(self, leaf: Tree, wanted: Field, path: str) -> Given | None:
        """Return the quantity of an entry of a group."""
        try:
            return quantity_of(leaf, wanted, self.reading, "")
        except InvalidRequest as error:
            self.reading.problems.append(f"{self.path}{path}: {error.message} (as in {wanted.example!r})")
            return None

    def peek(self, name: str) -> "Tree":
        """Return an entry without taking it."""
        return self._leaves[name][1] if name in self._leaves else ""

    def has(self, *names: str) -> bool:
        """Tell whether one of these, or something below it, was given."""
        return any(key == name or key.startswith(f"{name}_") for key in self._leaves for name in names)

    def measures(self, of: str, *names: str) -> bool:
        """Tell whether an entry's unit has the base unit `of`: power may be watts, or money a month."""
        leaf = next((self._leaves[name][1] for name in names if name in self._leaves), "")
        text = " ".join(str(each) for each in leaf.values()) if isinstance(leaf, dict) else str(leaf)
        try:
            return any(of in dict(units.parse(end).dimension) for end in ranges.ends_of(text, {}))
        except InvalidRequest:
            return False

    def raw(self, name: str, *others: str) -> "Tree | None":
        """Return an entry as it stands."""
        return self._leaf((name, *others))

    def finish(self) -> None:
        """Note every name that nothing asked for."""
        for key, (path, _) in self._leaves.items():
            if key not in self._used:
                near = difflib.get_close_matches(key, sorted(self._known), n=1, cutoff=0.6)
                hint = f"; did you mean {near[0]}?" if near else ""
                self.reading.problems.append(f"{self.path}{path} is unknown here{hint}")

    def _flatten(self, tree: Mapping[str, Tree], prefix: str, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise InvalidRequest("the input is nested too deeply")
        for name, leaf in tree.items():
            path = f"{prefix}{name}"
            if isinstance(leaf, dict) and not is_quantity(leaf):
                self._flatten(leaf, f"{path}.", depth + 1)
                continue
            key = normal(path)
            if key in self._leaves:
                self.reading.problems.append(f"{self.path}{path} is said twice ({self._leaves[key][0]})")
            self._leaves[key] = (path, leaf)

    def _item(self, tree: Tree, path: str) -> "Section":
        if isinstance(tree, str):
            return Section({"name": tree}, self.reading, path)
        if isinstance(tree, list):
            self.reading.problems.append(f"{path.rstrip('.')}: expected a mapping")
            return Section({}, self.reading, path)
        (only, below), *rest = tree.items() or [("", "")]
        if not rest and isinstance(below, dict) and not is_quantity(below):
            return Section({"name": only, **below}, self.reading, path)
        return Section(tree, self.reading, path)

    def _leaf(self, names: Sequence[str]) -> "Tree | None":
        self._known.update(names)
        found = [name for name in dict.fromkeys(names) if name in self._leaves]
        self._used.update(found)
        if len(found) > 1:
            self.reading.problems.append(f"{self.path}{found[0]} and {found[1]} say the same thing: keep one")
        return self._leaves[found[0]][1] if found else None

    def _take(self, wanted: Field) -> tuple[str, Tree, str] | None:
        """Return (path, content, unit in the name): `latency_budget_ms: 50` has its unit in its name."""
        names = wanted.spellings
        leaf = self._leaf(names)
        if leaf is not None:
            path = next(self._leaves[name][0] for name in names if name in self._leaves)
            return f"{self.path}{path}", leaf, ""
        for key, (path, content) in self._leaves.items():
            for name in names:
                unit = key.removeprefix(f"{name}_").replace("_", " ") if key.startswith(f"{name}_") else ""
                if unit and key not in self._used and names_unit(unit, wanted.unit):
                    self._used.add(key)
                    return f"{self.path}{path}", content, unit
        return None
