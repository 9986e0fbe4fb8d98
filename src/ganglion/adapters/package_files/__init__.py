"""Model packages on disk: a directory, and one file that holds the same bytes.

Both forms are read strictly: exactly the members that the manifest lists, with their sizes and
hashes. What the manifest may say is decided by `core.manifest`.
"""

from ganglion.adapters.package_files.archive import PackageArchives, PackageLimits, pack
from ganglion.adapters.package_files.contents import map_file, map_members
from ganglion.adapters.package_files.directory import peek_manifest, read_golden, read_manifest, write_package

__all__ = [
    "PackageArchives",
    "PackageLimits",
    "map_file",
    "map_members",
    "pack",
    "peek_manifest",
    "read_golden",
    "read_manifest",
    "write_package",
]
