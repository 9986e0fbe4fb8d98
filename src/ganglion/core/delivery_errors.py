"""Errors of what is on its way to the hub; see `core.errors` for the families."""

from ganglion.core.errors import Unavailable


class Busy(Unavailable):
    """The hub has as much of this work as it takes at once, and names a time at which to come again."""

    code = "hub_busy"
    remedy = "Retry after the delay in the Retry-After header; a node does so by itself, and loses nothing."


class BodyStalled(Unavailable):
    """The rest of the request's body did not arrive in time."""

    code = "body_stalled"
    remedy = "Send the body without long pauses, or over a better line."


class ContentMissing(Unavailable):
    """A record names a sample's content that the hub does not have, or has not any more."""

    code = "content_missing"
    remedy = "Hand the content over, then send the batch again; a node does so by itself, and loses nothing."
