"""Settings that `ganglion serve` and the serving process of a node have alike."""

from typing import Annotated

import msgspec

from ganglion.core.batching_rules import BatchingRules
from ganglion.entrypoints.settings.local_tls import LocalTlsSettings, Port


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where models answer, who may ask, and how much."""

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

    body_bytes_max: int = 64_000_000
    """Largest request body; a larger one is refused with 413 before it is read."""

    queue_len_max: int = 256
    """Requests that may wait for a worker; further ones are answered with 503 and Retry-After."""

    batching: dict[str, BatchingRules] = {}
    """Rules of dynamic batching by model, `"*"` for all others; they win over what a package advises."""

    run_s_max: float = 30.0
    """How long one run of a model may take; then the serving process ends itself and starts again. 0: no limit."""

    deaths_max: int = 3
    """A version that took the process down this often within an hour is not loaded again. 0: it always is."""
