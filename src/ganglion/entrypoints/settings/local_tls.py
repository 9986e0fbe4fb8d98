"""Settings of TLS at a serving port. Apart from the server, so that reading them loads no certificates."""

from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class LocalTlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS for programs that ask: on ports of its own, where programs of this machine prove who they are, too."""

    host: str = "127.0.0.1"
    """Address on which TLS is spoken; `0.0.0.0`: other machines ask too."""

    port: Port | None = None
    """TCP port of HTTPS; 0 takes a free one. Without: none."""

    grpc_port: Port | None = None
    """TCP port of gRPC over TLS; 0 takes a free one. Without: none."""

    hostnames: tuple[str, ...] = ()
    """Names and addresses by which clients reach this machine, for its certificate; localhost always is one."""

    certificates_only: bool = False
    """End every connection on which a client shows no certificate; otherwise a token will do as well."""

    connections_max: Annotated[int, msgspec.Meta(ge=1)] = 512
    """Open connections of each port of TLS, those included on which nothing was said yet; further ones are closed."""

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to listen on."""
        return self.port is not None or self.grpc_port is not None
