"""What goes wrong with signatures, keys and the time they hold for."""

from ganglion.core.errors import Broken, Rejected, Unavailable, Untrusted


class SignaturesMissing(Rejected):
    """Metadata lacks signatures of keys that are not on the hub."""

    code = "signatures_missing"
    remedy = "Have the key holders that the message names sign (`ganglion trust sign`), then publish again."


class KeyUnreadable(Rejected):
    """A private key's file cannot be opened: it is damaged, or its passphrase is another one."""

    code = "key_unreadable"
    remedy = "Check the file and the passphrase; nobody can open a key whose passphrase is lost."


class MetadataStale(Unavailable):
    """The hub's signed metadata has expired, or this machine's clock is wrong: nothing new is installed."""

    code = "metadata_stale"
    remedy = "Check the node's clock, then the hub: it signs fresh metadata every day. Serving goes on."


class ClockWrong(Unavailable):
    """This machine's clock is days away from the newest time that it has seen, or from the hub's."""

    code = "clock_wrong"
    remedy = "Set the node's clock, or let it be set by NTP. Until then nothing new is installed, and serving goes on."


class AssignmentOutdated(Unavailable):
    """An assignment is signed with a key that the newest root does not name: nothing is installed."""

    code = "assignment_outdated"
    remedy = "Nothing after a rotation of the hub's keys: it signs anew. If it stays, find out who signs assignments."


class ArtifactUntrusted(Untrusted):
    """Metadata or artifact bytes are not the ones that were signed."""

    code = "artifact_untrusted"
    remedy = "Nothing was installed. Check the hub's trust status and the path between hub and node."


class ProposalRefused(Untrusted):
    """New trust metadata is not signed by those who may sign it, or would shut the fleet out."""

    code = "proposal_refused"
    remedy = "Nothing was changed. Fetch the present metadata (`ganglion trust fetch`), and propose the change again."


class KeyMismatch(Broken):
    """A signing key on this disk is not the one that the nodes trust."""

    code = "key_mismatch"
    remedy = "Restore the hub's keys directory from the backup that belongs to its TUF metadata."
