"""The node's side of the link to its hub. Blocking calls; every one has a deadline."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from ganglion.wire.desired import Assignment, DesiredState, NodeReport
from ganglion.wire.records import Ack, Batch

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class Vouched(msgspec.Struct, frozen=True):
    """What a model's role signs beside the bytes of a package."""

    memory_bytes_max: Count | None = None
    """What the model may need; None: its manifest does not say."""
    offline_s_max: Count = 0
    """How long a node may serve it without contact with its hub; 0: for ever."""
    signers: tuple[str, ...] = ()
    """Ids of the keys that may sign for the model's role. Not part of what it signs: the link adds them."""


class SignedEnvelope(msgspec.Struct, frozen=True):
    """An envelope (`trust.envelope`) whose signatures lead to the root."""

    version: int
    expires_at_s: float
    document: bytes


class TrustedWord(msgspec.Struct, frozen=True):
    """What the newest root and the newest targets say beside models."""

    order_keys: tuple[str, ...]
    """Keys, raw, hexadecimal, that may sign orders; none from a hub of an earlier release."""
    envelope: SignedEnvelope | None = None
    """None: these targets delegate to no envelope."""


class HubLink(Protocol):
    """An authenticated line to the hub; it proves the node's identity again when a token has expired.

    Every method raises HubUnreachable when no answer came, Unauthenticated when the hub does not
    accept the node any more, and nothing of a foreign library.
    """

    def desired(self, *, after_incarnation: str, after_revision: int, wait_s: float) -> DesiredState | None:
        """Wait up to `wait_s` for a state newer than the one named; None when there was none."""
        ...

    def rekey(self, replaced: str) -> bool:
        """Make a new key if the present one is `replaced`, and let the hub know it. False: it is another already.

        To be repeated after any failure. Raises: KeyStoreUnusable too.
        """
        ...

    def report(self, report: NodeReport) -> None:
        """Tell the hub the present state."""
        ...

    def send(self, batch: Batch) -> Ack:
        """Store a batch at the hub; the ack says up to where everything is stored."""
        ...

    @property
    def batch_bytes(self) -> int:
        """How many bytes `send` has put on the line so far, compressed, answered or not."""
        ...

    def check_target(self, assignment: Assignment, *, root_version_min: int) -> Vouched:
        """Refresh the signed metadata and check that it names the assignment's package with the same digest.

        Raises: ArtifactUntrusted: it does not, or the metadata cannot be trusted. MetadataStale, ClockWrong,
        AssignmentOutdated.
        """
        ...

    def trusted_word(self, *, root_version_min: int) -> TrustedWord:
        """Refresh the signed metadata and return what it says beside models.

        Raises: ArtifactUntrusted, MetadataStale, ClockWrong.
        """
        ...

    def download(
        self, assignment: Assignment, destination: Path, *, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Bring the package that `check_target` accepted to `destination`; a part that is there already is resumed.

        Raises: ArtifactUntrusted: the bytes are not the signed ones (the part is thrown away). DiskUnusable.
        Withdrawn: `is_wanted`, which is asked before every piece, said no; the part stays.
        """
        ...
