"""What the commands of `ganglion trust` do, apart from their options."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from ganglion.adapters import key_documents
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import CheckFailed, InvalidRequest, NotFound
from ganglion.core.ids import parse_name
from ganglion.core.trust_errors import SignaturesMissing
from ganglion.entrypoints.cli.output import note
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.key_holders import envelope_files
from ganglion.entrypoints.key_holders.ceremony_directory import CeremonyDirectory
from ganglion.entrypoints.key_holders.passphrases import passphrase_of
from ganglion.entrypoints.settings.tree import load_settings
from ganglion.entrypoints.settings.trust import lifetimes_of
from ganglion.ports.clock import utc_s
from ganglion.trust import assignment, envelope, envelope_words, target_path
from ganglion.trust.ceremony import proposal, proposal_words
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal, keyids_of
from ganglion.trust.repository import ONLINE_ROLES
from ganglion.trust.signing import Terms, is_offline
from ganglion.wire.trust_resources import TrustInstalled

_PUBLISHER = "publisher"


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key that was made."""

    key_id: str
    name: str
    private_file: str
    public_file: str


def make_key(file: Path, name: str, config: Path | None) -> KeyView:
    """Make one key. Raises: Conflict, InvalidRequest, InvalidName, DiskUnusable."""
    parse_name(name, what="key")
    key = key_documents.make_key(file, name, passphrase_of(config, f"Passphrase for the new key {name}", new=True))
    return KeyView(key.keyid, name, str(file), str(key_documents.public_file_of(file)))


def begin_with_new_keys(directory: Path, keys: Path, count: int, threshold: int, config: Path | None) -> None:
    """Make every key here, and propose them. Raises: InvalidRequest, Conflict, NotFound."""
    loaded = _not_begun(directory)
    if threshold > count:
        raise InvalidRequest(f"the threshold is {threshold}, but only {count} root keys are made")
    names = [*(f"root-{number}" for number in range(1, count + 1)), _PUBLISHER]
    for name in names:
        note(f"key {name}: {make_key(keys / name, name, config).key_id}")
    public = [key_documents.read_public(key_documents.public_file_of(keys / name)) for name in names]
    proposed = ceremony.begin(loaded, public[:-1], threshold, public[-1], _terms(config))
    CeremonyDirectory(directory).save(proposed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Public key files of who shall hold the release keys. Without holders of its own, targets has those of root."""

    root: Sequence[Path]
    threshold: int
    targets: Sequence[Path] = ()
    targets_threshold: int | None = None
    """Without a number: as many as for root."""


def begin(directory: Path, holders: Holders, publisher: Path | None, config: Path | None) -> None:
    """Propose keys that were made elsewhere. Raises: InvalidRequest, KeyUnreadable, NotFound."""
    if not holders.root or publisher is None:
        raise InvalidRequest("give --keys DIR to make the keys here, or --holder for each root key, and --publisher")
    loaded = _not_begun(directory)
    root, targets = ([key_documents.read_public(file) for file in files] for files in (holders.root, holders.targets))
    threshold = holders.targets_threshold or holders.threshold
    proposed = ceremony.begin(
        loaded,
        root,
        holders.threshold,
        key_documents.read_public(publisher),
        _terms(config),
        targets=(targets or root, threshold),
    )
    CeremonyDirectory(directory).save(proposed)


def sign(directory: Path, file: Path, config: Path | None, *, confirmed: bool) -> None:
    """Say what is proposed, ask, and add this key's signatures.

    Raises: KeyUnreadable, InvalidRequest: nothing for this key. CheckFailed: the answer was no.
    """
    files = CeremonyDirectory(directory)
    proposed = files.load()
    if proposal.state_of(proposed) is proposal.ProposalState.EMPTY:
        raise InvalidRequest(f"nothing is proposed in {directory}")
    for line in proposal_words.changes(proposed):
        note(line)
    note(f"this follows the root with SHA-256 {proposal_words.fingerprint(proposed.present)}")
    if not confirmed and not _agrees():
        raise CheckFailed("nothing was signed")
    signer = key_documents.read_signer(file, passphrase_of(config, f"Passphrase of {file.name}"))
    signed, roles = proposal.sign(proposed, signer)
    files.save(signed)
    note(f"signed: {', '.join(roles)}")


def rotate(directory: Path, role: str, old: str, new: Path | None) -> None:
    """Propose another key for a role. Raises: InvalidRequest, NotFound, Conflict, KeyUnreadable."""
    files = CeremonyDirectory(directory)
    proposed = files.load()
    if role in (*ONLINE_ROLES, assignment.ROLE):
        if new:
            raise InvalidRequest(f"{role} is signed by the hub with a key that it makes itself: leave --new out")
        files.save(ceremony.rotate_online(proposed, files.online_keys()[role], _terms()))
        return
    if new is None:
        raise InvalidRequest(f"give the new key of {role} with --new KEY.pub")
    known = keyids_of(proposed.next_root, role)
    old = _whole_id(old, known) if known else old
    files.save(ceremony.rotate(proposed, role, old, key_documents.read_public(new), _terms()))


def revoke(directory: Path, key_id: str, replacement: Path | None) -> None:
    """Propose to trust a key no more. Raises: InvalidRequest, NotFound, Conflict, KeyUnreadable."""
    files = CeremonyDirectory(directory)
    proposed = files.load()
    whole = _whole_id(key_id, _all_ids(proposed))
    new = key_documents.read_public(replacement) if replacement else None
    files.save(ceremony.revoke(proposed, whole, new, files.online_keys(), _terms()))


def delegate(directory: Path, model: str, new: Path) -> None:
    """Propose a role for a model. Raises: Conflict, InvalidName, KeyUnreadable, NotFound."""
    parse_name(model, what="model")
    files = CeremonyDirectory(directory)
    files.save(ceremony.delegate(files.load(), model, key_documents.read_public(new), _terms()))


def renew(directory: Path, roles: Sequence[str]) -> None:
    """Propose new dates. Raises: NotFound."""
    files = CeremonyDirectory(directory)
    proposed = files.load()
    everything = [*ceremony.OFFLINE_ROLES, *proposed.present.models]
    files.save(ceremony.renew(proposed, roles or everything, _terms()))


def withdraw(directory: Path, package: str) -> None:
    """Propose not to vouch for a package. Raises: NotFound, InvalidName."""
    files = CeremonyDirectory(directory)
    role = target_path.parse(package).role
    files.save(ceremony.withdraw(files.load(), package, role, _terms()))


def limit(directory: Path, file: Path, new: Path | None) -> None:
    """Propose an envelope. Raises: InvalidRequest, Conflict, KeyUnreadable, NotFound."""
    files = CeremonyDirectory(directory)
    key = key_documents.read_public(new) if new else None
    files.save(ceremony.limit(files.load(), envelope_files.read_envelope(file), key, _terms()))


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One value of the envelope in force."""

    limit: str
    value: str


def limits_in(directory: Path) -> list[LimitLine]:
    """Return what the envelope says that was fetched; nothing without one. Raises: NotFound, DataCorrupt."""
    held = CeremonyDirectory(directory).load().present.models.get(envelope.ROLE)
    lines = envelope_words.lines_of(envelope.document_in(held.signed)) if held else {}
    return [LimitLine(name, value) for name, value in lines.items()]


def take_signatures(directory: Path, other: Path) -> None:
    """Add the signatures that another copy of the proposal has. Raises: ProposalRefused, NotFound, DataCorrupt."""
    files = CeremonyDirectory(directory)
    files.save(proposal.merge(files.load(), CeremonyDirectory(other).load()))


def publish(client: HubClient, directory: Path) -> TrustInstalled:
    """Hand the proposal to the hub, and keep what is in force then. Raises: SignaturesMissing, ProposalRefused."""
    files = CeremonyDirectory(directory)
    proposed = files.load()
    documents = {role: document.to_bytes() for role, document in proposed.documents()}
    if not documents:
        raise InvalidRequest(f"nothing is proposed in {directory}")
    missing = [need for need in proposed.needs() if need.missing]
    if missing:
        lacking = "; ".join(f"{need.role} lacks {need.missing} signatures for {need.delegator}" for need in missing)
        raise SignaturesMissing(lacking)
    installed = client.install_trust(documents)
    files.put_present(client.trust_documents(), client.trust().online_keys)
    return installed


def _not_begun(directory: Path) -> Proposal:
    loaded = CeremonyDirectory(directory).load()
    if is_offline(loaded.present.root.signed):
        raise InvalidRequest("the release keys are off the hub already; `rotate` and `revoke` change them")
    return loaded


def _terms(config: Path | None = None) -> Terms:
    return Terms(now_s=utc_s(SystemClock()), settings=lifetimes_of(load_settings(config).trust))


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("there is no terminal to ask on: read what is printed above, then give --yes")
    return typer.confirm("Sign this?", err=True)


def _all_ids(proposed: Proposal) -> list[str]:
    root, targets = proposed.next_root, proposed.next_targets
    delegated = targets.delegations.keys if targets.delegations else {}
    return [*root.keys, *delegated, *assignment.keys_of(root)]


def _whole_id(begin: str, known: Sequence[str]) -> str:
    """Return the one key whose id begins so. Raises: NotFound, InvalidRequest: two do, or nothing was given."""
    if not begin:
        raise InvalidRequest("say which key: its id, or how it begins; `ganglion trust status` lists them")
    found = sorted({key for key in known if key.startswith(begin)})
    if len(found) > 1:
        raise InvalidRequest(f"{len(found)} keys begin with {begin}: give more of the id")
    if not found:
        raise NotFound(f"no key begins with {begin[:64]!r}; `ganglion trust status` lists them")
    return found[0]
