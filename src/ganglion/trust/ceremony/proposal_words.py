"""What a proposal changes, in sentences for the person who is about to sign it."""

import hashlib

from tuf.api.metadata import Root, Targets

from ganglion.core.errors import InvalidRequest
from ganglion.trust import assignment, envelope, envelope_words
from ganglion.trust.ceremony.proposal import Present, Proposal, keyids_of
from ganglion.trust.signing import is_offline

_SHOWN = 12
_DAY = "%Y-%m-%d"


def fingerprint(present: Present) -> str:
    """Return what key holders compare before they sign: the digest of the root in force."""
    return hashlib.sha256(present.root.to_bytes()).hexdigest()


def changes(proposal: Proposal) -> list[str]:
    """Return one sentence for each change, the gravest kinds of change first."""
    lines: list[str] = []
    if proposal.root:
        lines += _of_root(proposal.present.root.signed, proposal.root.signed)
    if proposal.targets:
        lines += _of_targets(proposal.present.targets.signed, proposal.targets.signed)
    for role, metadata in sorted(proposal.models.items()):
        before = proposal.present.models.get(role)
        if role == envelope.ROLE:
            lines += _of_envelope(before.signed if before else None, metadata.signed)
            continue
        lines += _of_model(role, before.signed if before else None, metadata.signed)
    return lines


def key_words(keyid: str, names: dict[str, str]) -> str:
    """Return how a key is called on screen: the name that its holder gave it, and the begin of its id."""
    name = names.get(keyid, "")
    return f"{name} {keyid[:_SHOWN]}".strip()


def key_names(proposal: Proposal) -> dict[str, str]:
    """Return by id what the holders of the keys of both sides call them."""
    sides = (proposal.present.root.signed, proposal.present.targets.signed, proposal.next_root, proposal.next_targets)
    return {keyid: name for side in sides for keyid, name in _names(side).items()}


def _of_root(before: Root, after: Root) -> list[str]:
    lines = [f"root: version {before.version} becomes {after.version}, good until {after.expires.strftime(_DAY)}"]
    if is_offline(after) and not is_offline(before):
        lines.append("root: development mode ends; the release keys leave the hub")
    if is_offline(before) and not is_offline(after):
        lines.append("root: DEVELOPMENT MODE BEGINS: the hub may hold the release keys")
    names = _names(before) | _names(after)
    for role in sorted(after.roles):
        lines += _of_keys(role, keyids_of(before, role), keyids_of(after, role), names)
        old, new = before.roles[role].threshold, after.roles[role].threshold
        if old != new or keyids_of(before, role) != keyids_of(after, role):
            lines.append(f"{role}: {new} of {len(after.roles[role].keyids)} keys must sign (before: {old})")
    return lines + _of_keys("assignments", assignment.keys_of(before), assignment.keys_of(after), names)


def _of_targets(before: Targets, after: Targets) -> list[str]:
    lines = [f"targets: version {before.version} becomes {after.version}, good until {after.expires.strftime(_DAY)}"]
    names = _names(before) | _names(after)
    for role in sorted(_models(before) | _models(after)):
        lines += _of_keys(role, keyids_of(before, role), keyids_of(after, role), names)
    return lines


def _of_model(role: str, before: Targets | None, after: Targets) -> list[str]:
    version = f"version {before.version} becomes {after.version}" if before else "the first version"
    count = f"{len(after.targets)} packages" if len(after.targets) != 1 else "1 package"
    known = before.targets if before else {}
    return [
        f"{role}: {version}, good until {after.expires.strftime(_DAY)}, {count}",
        *(f"{role}: no longer vouches for {path}" for path in sorted(known.keys() - after.targets.keys())),
        *(f"{role}: vouches for {path} from now on" for path in sorted(after.targets.keys() - known.keys())),
    ]


def _of_envelope(before: Targets | None, after: Targets) -> list[str]:
    version = f"version {before.version} becomes {after.version}" if before else "the first version"
    lines = [f"envelope: {version}, good until {after.expires.strftime(_DAY)}"]
    try:
        held = envelope.document_in(before) if before else b"{}"
        return lines + [f"envelope: {line}" for line in envelope_words.changes(held, envelope.document_in(after))]
    except InvalidRequest as error:
        return [*lines, f"envelope: CANNOT BE READ, do not sign: {error.message}"]


def _of_keys(role: str, before: tuple[str, ...], after: tuple[str, ...], names: dict[str, str]) -> list[str]:
    return [
        *(f"{role}: key {key_words(key, names)} is trusted no more" for key in before if key not in after),
        *(f"{role}: key {key_words(key, names)} is trusted from now on" for key in after if key not in before),
    ]


def _models(targets: Targets) -> set[str]:
    return set((targets.delegations.roles or {}) if targets.delegations else {})


def _names(delegator: Root | Targets) -> dict[str, str]:
    if isinstance(delegator, Root):
        keys = delegator.keys
    else:
        keys = delegator.delegations.keys if delegator.delegations else {}
    return {keyid: str(key.unrecognized_fields.get("ganglion_name", "")) for keyid, key in keys.items()}
