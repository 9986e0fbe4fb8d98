"""Settings of `ganglion serve`."""

import msgspec

from ganglion.entrypoints.node_settings import Port
from ganglion.trust.model_file_limits import ModelFileLimits


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Models served from files, without a hub."""

    host: str = "127.0.0.1"
    """Address on which models answer; `0.0.0.0` accepts connections from other machines."""

    port: Port = 8080
    """TCP port of the Open Inference Protocol; 0 takes a free one."""

    uds: str = ""
    """Path of a Unix socket on which models answer too, for programs on this machine; empty: none."""

    threads: int = 0
    """Threads of each loaded model; 0 leaves one core to everything else."""

    body_bytes_max: int = 64_000_000
    """Largest request body; a larger one is refused with 413 before it is read."""

    queue_len_max: int = 256
    """Requests that may wait for a worker; further ones are answered with 503 and Retry-After."""

    batch_max: int = 1024
    """Rows in one request to a model file; packages say themselves how many they take."""

    journal_bytes_max: int = 64_000_000
    """Disk use of the records that `--journal` keeps; when full, the lowest classes are shed."""

    drain_s: float = 5.0
    """How long requests under way may take when the server is asked to end."""

    model_files: ModelFileLimits = ModelFileLimits()
    """What a model file may hold before an engine opens it."""
