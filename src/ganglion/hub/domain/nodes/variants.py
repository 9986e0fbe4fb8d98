"""Which variant of a released version fits a machine. The node checks the same facts again before it downloads."""

from collections.abc import Iterable
from dataclasses import dataclass

from ganglion.wire.identity import NodeFacts

ANY_ARCH = "any"


@dataclass(frozen=True, slots=True)
class VariantOffer:
    """What the choice needs to know of one released package."""

    variant: str
    arch: str
    runtime: str
    size_bytes: int


def choose(offers: Iterable[VariantOffer], facts: NodeFacts) -> str | None:
    """Return the variant for a machine with these facts; None when no package fits.

    A package built for this architecture goes before one for any. Between equals the smaller one wins:
    the factory keeps an optimised variant only when it is as good and not slower, so all that is left
    to save are bytes. Names settle the rest, so that every replica chooses alike.
    """
    fitting = [offer for offer in offers if facts.has_runtime(offer.runtime) and offer.arch in (ANY_ARCH, facts.arch)]
    best = min(fitting, key=lambda offer: (offer.arch == ANY_ARCH, offer.size_bytes, offer.variant), default=None)
    return best.variant if best else None
