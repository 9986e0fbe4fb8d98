"""Settings of `ganglion serve`."""

from pathlib import Path
from typing import Annotated

import msgspec

from ganglion.core.batching_rules import BatchingRules
from ganglion.core.engine_options import THREADS_MAX
from ganglion.entrypoints.local_tls_settings import LocalTlsSettings
from ganglion.entrypoints.node_settings import Port
from ganglion.trust.model_file_limits import ModelFileLimits

Weight = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Models served from files, without a hub."""

    host: str = "127.0.0.1"
    """Address on which models answer; `0.0.0.0`: other machines ask too, with tokens of clients."""

    open_to_network: bool = False
    """Let every machine that reaches the address ask, without a token."""

    port: Port = 8080
    """TCP port of the Open Inference Protocol; 0 takes a free one."""

    uds: str = ""
    """Path of a Unix socket on which models answer too, for programs on this machine; empty: none."""

    grpc_port: Port | None = None
    """TCP port of the protocol over gRPC; 0 takes a free one. Without: no gRPC. Needs the extra `grpc`."""

    grpc_uds: str = ""
    """Path of a Unix socket of the protocol over gRPC; empty: none."""

    uds_mode: Annotated[str, msgspec.Meta(pattern="^[0-7]{3}$")] = "660"
    """File mode of the Unix sockets, octal: whom it admits may ask everything."""

    trust_loopback: bool = True
    """Let programs that come over loopback ask everything; false: they need a token, as those on other machines do."""

    tls: LocalTlsSettings = LocalTlsSettings()
    """TLS, on ports of its own, with certificates of clients."""

    clients_file: str = "ganglion-clients.json"
    """File of clients on other machines, with the hashes of their tokens; `ganglion node client --file` makes it."""

    target: str = ""
    """Runtime (`openvino`), hardware (`cuda`), or variant of packages to serve; empty: what each file is for."""

    threads: Annotated[int, msgspec.Meta(ge=0, le=THREADS_MAX)] = 0
    """Threads of each loaded model; 0 leaves one core to everything else."""

    body_bytes_max: int = 64_000_000
    """Largest request body; a larger one is refused with 413 before it is read."""

    queue_len_max: int = 256
    """Requests that may wait for a worker; further ones are answered with 503 and Retry-After."""

    batching: dict[str, BatchingRules] = {}
    """Rules of dynamic batching by model, `"*"` for all others; they win over what a package advises."""

    split: dict[str, dict[str, Weight]] = {}
    """Weights of versions by model: how they share the requests that ask for none. Without: the newest answers."""

    batch_max: int = 1024
    """Rows in one request to a model file; packages say themselves how many they take."""

    versions_max: Annotated[int, msgspec.Meta(ge=1)] = 1024
    """Versions of all models that are in memory together; further ones are not served, and named."""

    journal_bytes_max: int = 64_000_000
    """Disk use of the records that `--journal` keeps; when full, the lowest classes are shed."""

    run_s_max: float = 30.0
    """How long one run of a model may take; then the serving process ends itself and starts again. 0: no limit."""

    memory_bytes_max: int = 0
    """Memory that the serving process may write to; an allocation beyond it fails. 0: no limit."""

    deaths_max: int = 3
    """A version that took the process down this often within an hour is not loaded again. 0: it always is."""

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
