"""How many threads a model gets when nobody says."""

from ganglion.adapters.system import node_facts


def threads_of(wanted: int) -> int:
    """Return `wanted`; for 0 as many as there are cores, less one that everything else on the machine keeps."""
    return wanted or max(1, node_facts(runtimes=(), release="").cores - 1)
