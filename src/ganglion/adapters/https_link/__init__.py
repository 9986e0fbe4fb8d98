"""The node's link to its hub over HTTPS: one outbound port, no broker, resumable artifacts."""

from ganglion.adapters.https_link.link import HttpsHubLink
from ganglion.adapters.https_link.session import Identity, LinkSettings

__all__ = ["HttpsHubLink", "Identity", "LinkSettings"]
