"""What `ganglion model publish --key` does before the package is sent."""

from pathlib import Path

from ganglion.adapters import key_documents
from ganglion.adapters.package_files import PackageArchives
from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.cli.context import Session
from ganglion.entrypoints.cli.output import note
from ganglion.entrypoints.key_holders.passphrases import passphrase_of
from ganglion.entrypoints.key_holders.publisher_signing import describe, sign_release
from ganglion.entrypoints.settings.tree import load_settings
from ganglion.entrypoints.settings.trust import lifetimes_of
from ganglion.ports.clock import utc_s
from ganglion.trust.signing import Terms


def sign_and_offer(session: Session, file: Path, key: Path) -> None:
    """Sign a package for its model with the key in a file, and hand the signature to the hub.

    Raises: KeyUnreadable, SignaturesMissing, InvalidPackage, InvalidRequest, ProposalRefused, Conflict.
    """
    package = describe(PackageArchives().inspect(file), file)
    signer = key_documents.read_signer(key, passphrase_of(session.config, f"Passphrase of {key.name}"))
    terms = Terms(now_s=utc_s(SystemClock()), settings=lifetimes_of(load_settings(session.config).trust))
    signed = sign_release(session.client.trust_documents(), package, signer, terms)
    if signed is not None:
        session.client.offer_model(package.path.role, signed)
        note(f"signed {package.path} with {signer.public_key.keyid[:12]}")
