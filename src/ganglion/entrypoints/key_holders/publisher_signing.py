"""A publisher's own signature on a release: made on this machine, with a key that the hub never sees."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Targets

from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import Digest
from ganglion.core.manifest import Manifest
from ganglion.core.trust_errors import ProposalRefused, SignaturesMissing
from ganglion.trust import repository
from ganglion.trust.ceremony import proposal
from ganglion.trust.ceremony.proposal import keyids_of
from ganglion.trust.packages import package_of
from ganglion.trust.repository import Package
from ganglion.trust.signing import Terms


def describe(manifest: Manifest, file: Path) -> Package:
    """Return the entry to be signed for a package file."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return package_of(manifest, Digest(digest), stream.tell())


def sign_release(documents: Mapping[str, bytes], package: Package, signer: Signer, terms: Terms) -> bytes | None:
    """Return the model's next list of packages, signed; None when the package is on the present one.

    `documents` came from the hub and are not taken at its word: what is signed again here was signed with this key.
    Raises: SignaturesMissing: the model has no role yet. InvalidRequest: another key signs it. ProposalRefused: the
    list is not the one that this key signed. Conflict: other bytes have this name.
    """
    present = proposal.read_present(documents)
    role, targets = package.path.role, present.targets.signed
    model = present.models.get(role)
    if model is None:
        raise SignaturesMissing(
            f"the model {package.path.model} has no role yet: `ganglion trust delegate` proposes one for this key"
        )
    if signer.public_key.keyid not in keyids_of(targets, role):
        raise InvalidRequest(f"the key {signer.public_key.keyid[:12]} is not the one that {role} is signed with")
    _check_own(model, signer)
    if repository.has_package(model.signed, package):
        return None
    following = Metadata(repository.with_package(model.signed, package, terms))
    following.sign(signer)
    return following.to_bytes()


def _check_own(model: Metadata[Targets], signer: Signer) -> None:
    key = signer.public_key
    try:
        key.verify_signature(model.signatures[key.keyid], model.signed_bytes)
    except (KeyError, UnverifiedSignatureError) as error:
        raise ProposalRefused("the hub's list of packages is not one that this key has signed") from error
