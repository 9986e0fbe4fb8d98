"""The directory that travels between the machines of key holders: what is in force, and what is proposed.

    DIR/present/ROLE.json       signed metadata, as the hub gave it
    DIR/present/hub-keys.json   the public keys that the hub offers for its own roles
    DIR/proposed/ROLE.json      what shall take its place, with the signatures so far

No private key is ever written here.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from ganglion.adapters.files import replace_file
from ganglion.adapters.key_documents import key_from_raw
from ganglion.core.errors import DataCorrupt, DiskUnusable, NotFound
from ganglion.core.trust_errors import ProposalRefused
from ganglion.trust import assignment
from ganglion.trust.ceremony import proposal
from ganglion.trust.ceremony.proposal import Present, Proposal
from ganglion.trust.ceremony.proposals import OnlineKey
from ganglion.trust.repository import ONLINE_ROLES
from ganglion.wire.trust_resources import OnlineKeyView

_SUFFIX = ".json"
_HUB_KEYS = "hub-keys"
_FILE_BYTES_MAX = 16_000_000


class CeremonyDirectory:
    """One ceremony's files. Every file is replaced in one step."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._present, self._proposed = directory / "present", directory / "proposed"

    def put_present(self, documents: Mapping[str, bytes], online: list[OnlineKeyView]) -> None:
        """Write what the hub has in force; a proposal for something older is thrown away. Raises: DiskUnusable."""
        before = _read_all(self._present)
        before.pop(_HUB_KEYS, None)
        for directory in (self._directory, self._present, self._proposed):
            _make(directory)
        if before != dict(documents):
            self.clear()
        for role in before.keys() - documents.keys():
            _remove(self._present / f"{role}{_SUFFIX}")
        for role, data in documents.items():
            replace_file(self._present / f"{role}{_SUFFIX}", data)
        replace_file(self._present / f"{_HUB_KEYS}{_SUFFIX}", msgspec.json.encode(online))

    def load(self) -> Proposal:
        """Return the proposal, empty if nothing is proposed, over present metadata whose own signatures hold.

        Raises: NotFound: `ganglion trust fetch` was not done here. ProposalRefused, DataCorrupt.
        """
        return proposal.read(self._load_present(), _read_all(self._proposed))

    def online_keys(self) -> dict[str, OnlineKey]:
        """Return the keys that the hub offers for its own roles. Raises: NotFound, DataCorrupt."""
        data = _read_all(self._present).get(_HUB_KEYS)
        if data is None:
            raise self._nothing_here()
        try:
            views = msgspec.json.decode(data, type=list[OnlineKeyView])
        except msgspec.DecodeError as error:
            raise DataCorrupt(f"{self._present / _HUB_KEYS}{_SUFFIX} is damaged; fetch again") from error
        missing = {*ONLINE_ROLES, assignment.ROLE} - {view.role for view in views}
        if missing:
            raise DataCorrupt(f"{self._present / _HUB_KEYS}{_SUFFIX} lacks {', '.join(sorted(missing))}; fetch again")
        return {
            view.role: OnlineKey(view.role, view.name, key_from_raw(view.public_key), view.public_key) for view in views
        }

    def save(self, proposed: Proposal) -> None:
        """Write the proposal. Raises: DiskUnusable."""
        _make(self._proposed)
        for role, document in proposed.documents():
            replace_file(self._proposed / f"{role}{_SUFFIX}", document.to_bytes())

    def clear(self) -> None:
        """Throw the proposal away. Raises: DiskUnusable."""
        for file in self._proposed.glob(f"*{_SUFFIX}"):
            _remove(file)

    def _load_present(self) -> Present:
        documents = _read_all(self._present)
        documents.pop(_HUB_KEYS, None)
        if not documents:
            raise self._nothing_here()
        try:
            return proposal.read_present(documents)
        except ProposalRefused as error:
            raise DataCorrupt(f"{self._present}: {error.message}; fetch again") from error

    def _nothing_here(self) -> NotFound:
        return NotFound(f"{self._directory} holds no ceremony; `ganglion trust fetch {self._directory}` begins one")


def _read_all(directory: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        for file in sorted(directory.glob(f"*{_SUFFIX}")):
            with file.open("rb") as source:
                found[file.name.removesuffix(_SUFFIX)] = source.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise DiskUnusable(f"{directory}: {error.strerror}") from error
    return found


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskUnusable(f"{directory} cannot be made: {error.strerror}") from error


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise DiskUnusable(f"{file}: {error.strerror}") from error
