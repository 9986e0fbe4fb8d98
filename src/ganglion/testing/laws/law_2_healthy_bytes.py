"""Law 2: only bytes that were signed, allowed and found healthy are served."""

from typing import ClassVar

from ganglion.testing.laws.law import Law


class HealthyBytes(Law):
    """Knows what was signed and for whom, and hears of every switch, every commit and every version that failed."""

    number: ClassVar[int] = 2
    sentence: ClassVar[str] = (
        "No node ever activates bytes that were not signed for that model, allowed for that node, and healthy on"
        " that node."
    )

    def __init__(self) -> None:
        super().__init__()
        self._signed: set[tuple[str, str]] = set()
        self._allowed: set[tuple[str, str, str]] = set()
        self._failed: dict[str, set[tuple[str, str]]] = {}

    def signed(self, model: str, digest: str) -> None:
        """These bytes may be served as this model."""
        self._signed.add((model, digest))

    def allowed(self, node: str, *, model: str, digest: str) -> None:
        """The hub has written down that this node is to serve these bytes, and the node may hear of it from now on."""
        self._allowed.add((node, model, digest))

    def activated(self, at_s: float, node: str, *, model: str, digest: str) -> None:
        """The node answers with these bytes from now on."""
        self.looks += 1
        if (model, digest) not in self._signed:
            self.broke(at_s, f"{node} activated bytes that nobody signed for {model}: {digest[:20]}")
        elif (node, model, digest) not in self._allowed:
            self.broke(at_s, f"{node} activated bytes of {model} that were never meant for it: {digest[:20]}")

    def committed(self, at_s: float, node: str, *, missing: str) -> None:
        """The node keeps a version. `missing` names what its policy still asked for, or is empty."""
        self.looks += 1
        if missing:
            self.broke(at_s, f"{node} committed a version without {missing}")

    def failed(self, node: str, wish: tuple[str, str]) -> None:
        """A version, by (digest, rollout), was found unhealthy on this node."""
        self._failed.setdefault(node, set()).add(wish)

    def wished_anew(self, node: str) -> None:
        """The hub wants something else of this node: what failed may be tried again."""
        self._failed.pop(node, None)

    def began(self, at_s: float, node: str, wish: tuple[str, str]) -> None:
        """The node begins to try a version."""
        self.looks += 1
        if wish in self._failed.get(node, ()):
            self.broke(at_s, f"{node} tries a version again that failed there, though nobody asked anew")
