"""The authority of a serving port: it makes the certificates of its clients, and the one that it shows itself.

It lies beside the file of clients, is made when it is first needed, and asks no hub and no network. Commands and
the process that serves may come at the same time: they take turns.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ganglion.adapters.certificates import IssuedClient, TlsFiles, issue_client, open_authority
from ganglion.adapters.node_keys import file_lock
from ganglion.core.errors import DiskUnusable

_WHOSE = "Ganglion serving"


class LocalAuthority:
    """See the module docstring."""

    def __init__(self, clients: Path) -> None:
        self.directory = clients.with_name(f"{clients.stem}-tls")

    def issue(self, name: str, *, life_s: float, now_s: float) -> IssuedClient:
        """Make a client's certificate. Raises: InvalidRequest, DataCorrupt, DiskUnusable."""
        with self._alone():
            return issue_client(self.directory, name, life_s=life_s, now_s=now_s, whose=_WHOSE)

    def server_files(self, hostnames: Sequence[str], *, now_s: float) -> TlsFiles:
        """Return what a server shows, made anew in time. Raises: InvalidSettings, DataCorrupt, DiskUnusable."""
        with self._alone():
            return open_authority(self.directory, hostnames=hostnames, now_s=now_s, whose=_WHOSE)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DiskUnusable(f"{self.directory} cannot be made: {error.strerror}") from error
        with file_lock(self.directory / ".lock"):
            yield
