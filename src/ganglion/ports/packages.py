"""How services look into a single-file model package."""

from pathlib import Path
from typing import Protocol

from ganglion.core.manifest import Manifest


class PackageFiles(Protocol):
    """Opens packages, and trusts none."""

    def inspect(self, file: Path) -> Manifest:
        """Check a single-file package completely (members, sizes, hashes) and return its manifest.

        Raises: InvalidPackage.
        """
        ...

    def unpack(self, file: Path, directory: Path) -> Manifest:
        """Check and unpack into `directory`, which appears whole or not at all.

        Raises: InvalidPackage, DiskUnusable.
        """
        ...

    def check(self, directory: Path) -> Manifest:
        """Check an unpacked package completely and return its manifest. Raises: InvalidPackage."""
        ...
