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


class EpochTaken(Conflict):
    """Another copy of this node's data directory has numbered other records with the same epoch."""

    code = "epoch_taken"
    remedy = "Nothing is lost: the node numbers anew by itself. Find its copy, stop it, and join it as its own node."


# --- unavailable ----------------------------------------------------------------------------------


class HubUnreachable(Unavailable):
    """The hub did not answer in time, or no connection could be made."""

    code = "hub_unreachable"
    remedy = "Check the address, the network, and that the hub runs. A node goes on serving, and tries again by itself."


class Overloaded(Unavailable):
    """More work arrived than the limits allow."""

    code = "overloaded"
    remedy = "Slow down, and retry after the delay in the Retry-After header."


# --- untrusted ------------------------------------------------------------------------------------


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
