"""What a model's role says of a package, taken from the package's own manifest."""

from ganglion.core.ids import Digest
from ganglion.core.manifest import Manifest
from ganglion.trust.repository import Package
from ganglion.trust.target_path import TargetPath


def package_of(manifest: Manifest, sha256: Digest, size_bytes: int) -> Package:
    """Return the entry to be signed for the package file with this digest and size."""
    return Package(
        path=TargetPath(manifest.name, manifest.version, manifest.variant),
        sha256=sha256,
        size_bytes=size_bytes,
        memory_bytes_max=manifest.limits.memory_bytes_max,
        offline_s_max=manifest.limits.offline_s_max,
    )
