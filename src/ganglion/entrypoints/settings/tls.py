"""Settings of TLS at the hub: its own authority, the operator's certificate, or a proxy in front."""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ganglion.core.errors import InvalidSettings

if TYPE_CHECKING:
    from ganglion.adapters.certificates.own import OwnFiles


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Without any of these the hub has an authority of its own, which renews its certificate in time."""

    ca_file: str = ""
    """PEM of the authority by which nodes recognise what they connect to. Set it before the first node joins."""

    cert_file: str = ""
    """PEM of the hub's certificate from that authority, and of those between; empty: the hub makes its own."""

    key_file: str = ""
    """PEM of the certificate's private key. Files are read again every hour."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` is believed; from all others it is ignored."""

    def own_files(self) -> "OwnFiles | None":
        """Return the operator's files, if there are any. Raises: InvalidSettings: some, but not enough."""
        if not (self.ca_file or self.cert_file or self.key_file):
            return None
        if not self.ca_file or bool(self.cert_file) != bool(self.key_file):
            raise InvalidSettings("hub.tls: cert_file and key_file belong together, and need ca_file")
        from ganglion.adapters.certificates.own import OwnFiles  # noqa: PLC0415 - few settings need certificates

        return OwnFiles(
            ca=Path(self.ca_file).expanduser(),
            certificate=Path(self.cert_file).expanduser() if self.cert_file else None,
            key=Path(self.key_file).expanduser() if self.key_file else None,
        )

    def proxies(self) -> list[str]:
        """Return the proxies. Raises: InvalidSettings: one is no address, or means everybody."""
        for text in self.trusted_proxies:
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise InvalidSettings(f"hub.tls.trusted_proxies: {error}") from error
            if not network.prefixlen:
                raise InvalidSettings(f"hub.tls.trusted_proxies: {text} would let everybody say who they are")
        return list(self.trusted_proxies)
