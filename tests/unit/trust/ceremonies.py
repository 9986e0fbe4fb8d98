"""Key holders and ceremonies for tests: everything follows from names, nothing from chance."""

import hashlib
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

from ganglion.core.ids import Digest
from ganglion.testing.memory_files import MemorySigningKeys
from ganglion.trust import edition, repository, target_path
from ganglion.trust.ceremony import installation, proposal
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Present, Proposal
from ganglion.trust.edition import Edition, MetadataFile
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.repository import Package
from ganglion.trust.signing import Signing, Terms

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0
HOLDERS = ("ada", "bo", "cy")
PATH = "models/digits/1/fp32.ganglion"


def signer(name: str) -> CryptoSigner:
    """A person's key."""
    seed = hashlib.sha256(f"person {name}".encode()).digest()
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed))


def keyid(name: str) -> str:
    return signer(name).public_key.keyid


def terms(*, days: float = 0) -> Terms:
    return Terms(now_s=NOW_S + days * DAY_S, settings=RepositorySettings())


def package(path: str = PATH, *, byte: str = "ab") -> Package:
    return Package(path=target_path.parse(path), sha256=Digest(byte * 32), size_bytes=10)


class Hub:
    """A hub's repository and keys, in memory."""

    def __init__(self, *models: str) -> None:
        self.files: dict[str, bytes] = {}
        self.keys = MemorySigningKeys()
        self.take(repository.create(self.signing()))
        for model in models:
            self.take(repository.publish(self.edition(), package(f"models/{model}/1/fp32.ganglion"), self.signing()))

    def signing(self, *, days: float = 0) -> Signing:
        return Signing(
            private_key=self.keys.private_bytes,
            held_key=self.keys.held_bytes,
            now_s=NOW_S + days * DAY_S,
            settings=RepositorySettings(),
        )

    def take(self, files: Iterable[MetadataFile]) -> None:
        self.files.update({file.name: file.data for file in files})

    def edition(self) -> Edition:
        return edition.load(self.files.get)

    def present(self) -> Present:
        return proposal.present_of(self.edition())

    def root(self) -> Root:
        return self.edition().root.signed

    def install(self, proposed: Proposal, *, days: float = 0) -> None:
        self.take(installation.install(self.edition(), proposed, self.signing(days=days)))


def begun(hub: Hub, *, holders: Sequence[str] = HOLDERS, threshold: int = 2) -> Proposal:
    """The first ceremony, unsigned: root and targets to the holders, models to the publisher."""
    keys = [signer(name).public_key for name in holders]
    return ceremony.begin(Proposal(hub.present()), keys, threshold, signer("publisher").public_key, terms())


def signed_by(proposed: Proposal, *names: str) -> Proposal:
    for name in names:
        proposed, _ = proposal.sign(proposed, signer(name))
    return proposed


def in_production(*models: str) -> Hub:
    """A hub whose release keys are with ada, bo and cy (two of three), and with the publisher."""
    hub = Hub(*models)
    publisher = ("publisher",) if models else ()
    hub.install(signed_by(begun(hub), "ada", "bo", *publisher))
    for role in ("root", "targets", *(f"model-{model}" for model in models)):
        hub.keys.remove(role)
    return hub
