"""What goes wrong when somebody says who they are."""

from ganglion.core.errors import Broken, Unavailable, Untrusted


class LoginBlocked(Unavailable):
    """Too many passwords were tried for this name, or from this address."""

    code = "login_blocked"
    remedy = "Wait as long as the message says. If it was not you who tried, look at `ganglion audit search`."


class ProviderFailed(Unavailable):
    """The identity provider does not answer, or not as OpenID Connect says."""

    code = "provider_failed"
    remedy = "Try again; if it stays so, compare `[hub.identity.provider]` with what the provider's operator says."


class SegmentStoreUnavailable(Unavailable):
    """The place for closed segments of the audit chain does not answer, or refuses what it is asked."""

    code = "segment_store_unavailable"
    remedy = "Try again; if it stays so, compare `[hub.audit.shipping]` with what the store's operator says."


class Unauthenticated(Untrusted):
    """The caller did not prove who it is, or its proof has expired."""

    code = "unauthenticated"
    remedy = "Log in again with `ganglion login`; a node proves itself again without help."


class Forbidden(Untrusted):
    """The caller is known and may not do this."""

    code = "forbidden"
    remedy = "Ask an administrator of the hub."


class TokenRefused(Untrusted):
    """The join token is unknown, already used, expired, or for an enrolled name."""

    code = "token_refused"
    remedy = "Make a new token on the hub with `ganglion node token NAME`."


class KeyReplaced(Unauthenticated):
    """The node's key was replaced by a newer one, and the caller has only the old one: a copy of an old disk."""

    code = "key_replaced"
    remedy = "Find the machine that runs the copy, and stop it; if it is the right one, join it again by a new name."


class NodeQuarantined(Untrusted):
    """The hub hears nothing from this node until a person has admitted it again; it goes on serving."""

    code = "node_quarantined"
    remedy = "Make sure that it is the right machine, then run `ganglion node admit NAME`; it comes back by itself."


class CaMismatch(Untrusted):
    """The certificate authority of the server is not the one that was pinned."""

    code = "ca_mismatch"
    remedy = "Check the address and the pin; somebody may be between you and the hub."


class NotJoined(Broken):
    """This data directory does not belong to an enrolled node."""

    code = "not_joined"
    remedy = "Run `ganglion node join URL --token TOKEN` first."


class KeyStoreUnusable(Broken):
    """The device or file that holds the node's key does not sign."""

    code = "key_store_unusable"
    remedy = "Check the token, its PIN and its driver, as the message says. The node goes on serving meanwhile."
