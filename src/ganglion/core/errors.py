"""Every error a user can meet, in four families that say who must act next.

The class docstring says what happened, `remedy` says what to do; both are printed in
docs/reference/errors.md. `wire.problems` maps the families to HTTP status and exit code.
"""

from typing import ClassVar


class GanglionError(Exception):
    """Something went wrong that no more specific error names."""

    code: ClassVar[str] = "internal"
    remedy: ClassVar[str] = "Look at the log line above this message, and report it with that line."
    retryable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


# --- families -------------------------------------------------------------------------------------


class Rejected(GanglionError):
    """The request cannot be carried out as it was made: the caller must change it."""

    code = "rejected"
    remedy = "Change the request as the message says."


class Unavailable(GanglionError):
    """It cannot be done now; the same call may succeed later, unchanged."""

    code = "unavailable"
    remedy = "Wait and try again."
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """When whoever refused wants the call again; None: it did not say."""


class Untrusted(GanglionError):
    """A proof is missing or wrong: stop, and find out why."""

    code = "untrusted"
    remedy = "Do not retry blindly: find out who sent this."


class Broken(GanglionError):
    """This machine or its data needs an operator."""

    code = "broken"
    remedy = "Repair what the message names, then start again."


# --- rejected -------------------------------------------------------------------------------------


class InvalidName(Rejected):
    """A name has characters, or a length, that names may not have."""

    code = "name_invalid"
    remedy = "Use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit."


class InvalidRequest(Rejected):
    """The request's body, parameters or arguments are malformed."""

    code = "request_invalid"
    remedy = "Correct the field that the message names."


class InvalidSettings(Rejected):
    """Settings from the file, the environment or the command line are wrong."""

    code = "settings_invalid"
    remedy = "Correct every setting listed; docs/reference/settings.md has them all."


class InvalidPackage(Rejected):
    """A model package is damaged, incomplete, or holds something that no package may hold."""

    code = "package_invalid"
    remedy = "Correct what the message names: build the package or export the model again, or fetch it again."


class TargetMismatch(Rejected):
    """The package was built for other hardware or another runtime than this machine has."""

    code = "target_mismatch"
    remedy = "Release a variant for this machine's architecture and runtime."


class FactsContradict(InvalidRequest):
    """Two facts that were given cannot both hold, or cannot be reckoned with together."""

    code = "facts_contradict"
    remedy = "Correct one of the two facts that the message names."


class NotFound(Rejected):
    """What the request names does not exist."""

    code = "not_found"
    remedy = "Check the name or path; `ganglion model list`, `ganglion node list` and the like show what the hub has."


class Conflict(Rejected):
    """The request contradicts what is already there."""

    code = "conflict"
    remedy = "Use another name or version, or end what is in the way."


class TooLarge(Rejected):
    """The body or file is larger than the limit in the settings."""

    code = "too_large"
    remedy = "Send less, or raise the limit that the message names."


class MissingExtra(Rejected):
    """The command needs packages that the base install leaves out."""

    code = "extra_missing"
    remedy = "Install the extra that the message names, for example `pip install 'ganglion[hub]'`."


class NotGoodEnough(Rejected):
    """The new model did not pass its evaluation, so it was not made a version."""

    code = "not_good_enough"
    remedy = "Add labelled data, or widen the budget on purpose."


class CheckFailed(Rejected):
    """A check that the command was asked to make did not hold."""

    code = "check_failed"
    remedy = "The message names the check; the figures are in the report."


class Withdrawn(Rejected):
    """The hub wants something else by now, so work on this was ended."""

    code = "withdrawn"
    remedy = "Nothing is to be done: the node goes on with what is wanted now."


class GoldenMissing(Rejected):
    """The model comes without golden inputs, so nothing can prove that it answers here as it did where it was made."""

    code = "golden_missing"
    remedy = "Make a package with golden inputs; `ganglion model build` adds some."


class SignaturesMissing(Rejected):
    """Metadata lacks signatures of keys that are not on the hub."""

    code = "signatures_missing"
    remedy = "Have the key holders that the message names sign (`ganglion trust sign`), then publish again."


class KeyUnreadable(Rejected):
    """A private key's file cannot be opened: it is damaged, or its passphrase is another one."""

    code = "key_unreadable"
    remedy = "Check the file and the passphrase; nobody can open a key whose passphrase is lost."


class InputUnusable(InvalidRequest):
    """The inputs are of the declared type and shape, but a step cannot use what they hold, as a damaged image."""

    code = "input_unusable"
    remedy = "Correct the input that the message names; the model was not asked."


class EpochTaken(Conflict):
    """Another copy of this node's data directory has numbered other records with the same epoch."""

    code = "epoch_taken"
    remedy = "Nothing is lost: the node numbers anew by itself. Find its copy, stop it, and join it as its own node."


# --- unavailable ----------------------------------------------------------------------------------


class HubUnreachable(Unavailable):
    """The hub did not answer in time, or no connection could be made."""

    code = "hub_unreachable"
    remedy = "Check the address, the network, and that the hub runs. A node goes on serving, and tries again by itself."


class ServingUnreachable(Unavailable):
    """The serving process does not answer on its local socket."""

    code = "serving_unreachable"
    remedy = "Wait: the supervisor starts it again."


class Overloaded(Unavailable):
    """More work arrived than the limits allow."""

    code = "overloaded"
    remedy = "Slow down, and retry after the delay in the Retry-After header."


class ModelNotReady(Unavailable):
    """The model is known but no version of it is loaded yet."""

    code = "model_not_ready"
    remedy = "Load one, or wait for the node to commit one; `GET /v2/models/NAME/ready` tells."


class DeadlineExceeded(Unavailable):
    """The time that the client gave was over before the model's turn came; the model did not run."""

    code = "deadline_exceeded"
    remedy = "Allow more time, send less at a time, or ask another node."


class ModelHung(Unavailable):
    """The model did not come back within the time that one run may take; the serving process starts again."""

    code = "model_hung"
    remedy = "Do not send this input again; the log names the version. `run_s_max` is how long a run may take."


class ModelQuarantined(Unavailable):
    """The version took the serving process down several times, by a crash or a run without end."""

    code = "model_quarantined"
    remedy = "Replace the model file, release a better version, or start the server again to give it another chance."
    retryable = False


class LoginBlocked(Unavailable):
    """Too many passwords were tried for this name, or from this address."""

    code = "login_blocked"
    remedy = "Wait as long as the message says. If it was not you who tried, look at `ganglion audit search`."


class ProviderFailed(Unavailable):
    """The identity provider does not answer, or not as OpenID Connect says."""

    code = "provider_failed"
    remedy = "Try again; if it stays so, compare `[hub.identity.provider]` with what the provider's operator says."


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


# --- untrusted ------------------------------------------------------------------------------------


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


class ArtifactUntrusted(Untrusted):
    """Metadata or artifact bytes are not the ones that were signed."""

    code = "artifact_untrusted"
    remedy = "Nothing was installed. Check the hub's trust status and the path between hub and node."


class ProposalRefused(Untrusted):
    """New trust metadata is not signed by those who may sign it, or would shut the fleet out."""

    code = "proposal_refused"
    remedy = "Nothing was changed. Fetch the present metadata (`ganglion trust fetch`), and propose the change again."


# --- broken ---------------------------------------------------------------------------------------


class DataInUse(Broken):
    """Another process works on this data directory."""

    code = "data_in_use"
    remedy = "Stop the other process, or choose another data directory."


class DataTooNew(Broken):
    """The data directory was written by a newer release."""

    code = "data_too_new"
    remedy = "Install the newer release again, or restore a backup made with this one."


class DataCorrupt(Broken):
    """A stored file or database is damaged."""

    code = "data_corrupt"
    remedy = "Keep the damaged file that the message names for inspection, and put a backup in its place."


class DiskUnusable(Broken):
    """The disk is full, read-only, or refuses to write."""

    code = "disk_unusable"
    remedy = "Free space, mount the disk writable, or let this user write there; what was acknowledged is safe."


class PortInUse(Broken):
    """The address to listen on is taken."""

    code = "port_in_use"
    remedy = "Stop the program that listens there, or choose another port."


class NotJoined(Broken):
    """This data directory does not belong to an enrolled node."""

    code = "not_joined"
    remedy = "Run `ganglion node join URL --token TOKEN` first."


class KeyStoreUnusable(Broken):
    """The device or file that holds the node's key does not sign."""

    code = "key_store_unusable"
    remedy = "Check the token, its PIN and its driver, as the message says. The node goes on serving meanwhile."


class ModelFailed(Broken):
    """The model failed on inputs that its manifest allows."""

    code = "model_failed"
    remedy = "Go back to the previous version, or release one that answers this input; the node's log has the reason."


class KeyMismatch(Broken):
    """A signing key on this disk is not the one that the nodes trust."""

    code = "key_mismatch"
    remedy = "Restore the hub's keys directory from the backup that belongs to its TUF metadata."
