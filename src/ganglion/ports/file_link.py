"""The node's side of bringing reference files. Blocking calls; every one has a deadline."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ganglion.ports.hub_link import TrustedWord
from ganglion.wire.desired import ReferenceFile


class FileLink(Protocol):
    """The part of the line to the hub that reference files need. Raises what `HubLink` raises."""

    def trusted_word(self, *, root_version_min: int) -> TrustedWord:
        """See `HubLink.trusted_word`."""
        ...

    def download_file(
        self, file: ReferenceFile, destination: Path, *, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Bring a file to `destination`; a part that is there already is resumed.

        Raises: ArtifactUntrusted: the bytes have another hash; the part is thrown away. DiskUnusable, Withdrawn.
        """
        ...
