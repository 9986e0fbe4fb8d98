"""Settings of `ganglion serve`."""

from pathlib import Path
from typing import Annotated

import msgspec

from ganglion.core.engine_options import THREADS_MAX
from ganglion.entrypoints.settings.edges import EdgeSettings
from ganglion.trust.model_files.limits import ModelFileLimits

Weight = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class ServeSettings(EdgeSettings, frozen=True, kw_only=True):
    """Models served from files, without a hub."""

    clients_file: str = "ganglion-clients.json"
    """File of clients on other machines, with the hashes of their tokens; `ganglion node client --file` makes it."""

    target: str = ""
    """Runtime (`openvino`), hardware (`cuda`), or variant of packages to serve; empty: what each file is for."""

    threads: Annotated[int, msgspec.Meta(ge=0, le=THREADS_MAX)] = 0
    """Threads of each loaded model; 0 leaves one core to everything else."""

    split: dict[str, dict[str, Weight]] = msgspec.field(default_factory=dict)
    """Weights of versions by model: how they share the requests that ask for none. Without: the newest answers."""

    batch_max: int = 1024
    """Rows in one request to a model file; packages say themselves how many they take."""

    versions_max: Annotated[int, msgspec.Meta(ge=1)] = 1024
    """Versions of all models that are in memory together; further ones are not served, and named."""

    journal_bytes_max: int = 64_000_000
    """Disk use of the records that `--journal` keeps; when full, the lowest classes are shed."""

    memory_bytes_max: int = 0
    """Memory that the serving process may write to; an allocation beyond it fails. 0: no limit."""

    restart_s_max: float = 30.0
    """Longest pause before a process that keeps dying is started again."""

    drain_s: float = 5.0
    """How long requests under way may take when the server is asked to end."""

    model_files: ModelFileLimits = ModelFileLimits()
    """What a model file may hold before an engine opens it."""

    @property
    def clients_path(self) -> Path:
        """Return the file of clients as a path."""
        return Path(self.clients_file).expanduser()
