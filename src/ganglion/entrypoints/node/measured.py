"""What a node measures of itself. A hub may compare it with what it allows."""

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

_IMAGE_BYTES_MAX = 256


def measured_facts(image_sha256_file: str = "") -> dict[str, str]:
    """Return the release, the digest of all installed packages with their versions, and the image's own digest.

    The image's digest is read anew each time; a file that cannot be read is a fact that is missing.
    """
    facts = {"release": metadata.version("ganglion"), "packages_sha256": packages_sha256()}
    if image_sha256_file:
        try:
            with Path(image_sha256_file).expanduser().open("rb") as file:
                facts["image_sha256"] = file.read(_IMAGE_BYTES_MAX).decode("ascii", "replace").strip()
        except OSError:
            facts["image_sha256"] = ""
    return facts


@cache
def packages_sha256() -> str:
    """Return the digest of NAME==VERSION of every installed package, sorted, a line each."""
    lines = sorted({f"{each.name.lower()}=={each.version}" for each in metadata.distributions() if each.name})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
