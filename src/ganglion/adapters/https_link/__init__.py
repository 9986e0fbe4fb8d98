"""The node's link to its hub over HTTPS: one outbound port, no broker, resumable artifacts."""

from ganglion.adapters.https_link.link import HttpsHubLink
from ganglion.adapters.https_link.session import Identity, LinkSettings
from ganglion.adapters.https_link.tuf_client import TufLimits

__all__ = ["HttpsHubLink", "Identity", "LinkSettings", "TufLimits"]
