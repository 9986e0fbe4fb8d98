"""What a ceremony can change: each function takes a proposal and returns the next one, unsigned where it changed.

Nothing here signs and nothing here decides who may: the thresholds of the present root do that, in `proposal`.
"""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from securesystemslib.signer import Key
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, Targets

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.trust import assignment, envelope
from ganglion.trust.ceremony.proposal import Proposal, keyids_of
from ganglion.trust.envelope import Envelope
from ganglion.trust.repository import ONLINE_ROLES
from ganglion.trust.signing import Terms, mark_offline, rename_keys
from ganglion.trust.target_path import paths_of, role_of

OFFLINE_ROLES = (Root.type, Targets.type)


@dataclass(frozen=True, slots=True)
class OnlineKey:
    """A key that the hub made for one of its own roles; the private half never leaves it."""

    role: str
    name: str
    key: Key
    raw: str
    """The raw public key, hexadecimal."""


def begin(
    proposal: Proposal,
    holders: Sequence[Key],
    threshold: int,
    publisher: Key,
    terms: Terms,
    *,
    targets: tuple[Sequence[Key], int] | None = None,
) -> Proposal:
    """Propose to take the release keys off the hub: root and targets to the holders, all models to the publisher.

    `targets` names other holders, and how many of them must sign, for the list of models.
    Raises: InvalidRequest: a threshold that the keys cannot meet, a key twice, or the publisher's among them.
    """
    chosen = {Root.type: (holders, threshold), Targets.type: targets or (holders, threshold)}
    for role, (keys, must_sign) in chosen.items():
        _check_holders(role, keys, must_sign, publisher)

    def hand_over(root: Root) -> None:
        for role, (keys, must_sign) in chosen.items():
            for keyid in keyids_of(root, role):
                root.revoke_key(keyid, role)
            for key in keys:
                root.add_key(key, role)
            root.roles[role].threshold = must_sign
        mark_offline(root)

    proposal = _with_root(proposal, terms, hand_over)
    for role in sorted(proposal.present.models):
        if role != envelope.ROLE:
            proposal = _with_model_key(proposal, role, publisher, terms)
    return _with_targets(proposal, terms, _unchanged)


def _check_holders(role: str, keys: Sequence[Key], threshold: int, publisher: Key) -> None:
    ids = {key.keyid for key in keys}
    if len(ids) != len(keys):
        raise InvalidRequest(f"two of the {role} keys are the same key")
    if not 1 <= threshold <= len(ids):
        raise InvalidRequest(f"the threshold is {threshold}, it must be 1 to {len(ids)}: the number of {role} keys")
    if publisher.keyid in ids:
        raise InvalidRequest(f"the publisher's key must not be a {role} key: it is used daily")


def rotate(proposal: Proposal, role: str, old: str, new: Key, terms: Terms) -> Proposal:
    """Propose `new` in the place of the key `old` of one role. For a model's role `old` may be empty.

    Raises: NotFound: the role or the key is not known. Conflict: the role has the new key already.
    """
    if role not in OFFLINE_ROLES:
        _model_key_ids(proposal, role)
        return _with_model_key(proposal, role, new, terms)
    _check_holds(proposal, role, old)
    if new.keyid in keyids_of(proposal.next_root, role):
        raise Conflict(f"{new.keyid[:12]} is a key of {role} already")

    def exchange(root: Root) -> None:
        root.revoke_key(old, role)
        root.add_key(new, role)

    proposal = _with_root(proposal, terms, exchange)
    return _with_targets(proposal, terms, _unchanged) if role == Targets.type else proposal


def rotate_online(proposal: Proposal, new: OnlineKey, terms: Terms) -> Proposal:
    """Propose another key for a role that the hub signs by itself. Raises: Conflict: it is the present one."""
    root = proposal.next_root
    present = assignment.keys_of(root) if new.role == assignment.ROLE else keyids_of(root, new.role)
    if new.key.keyid in present or new.raw in present:
        raise Conflict(
            f"the hub offers no other key for {new.role} than the present one; fetch again with --new-online-keys"
        )

    def exchange(root: Root) -> None:
        if new.role == assignment.ROLE:
            assignment.name_keys(root, (new.raw,))
        else:
            for keyid in keyids_of(root, new.role):
                root.revoke_key(keyid, new.role)
            root.add_key(new.key, new.role)
        rename_keys(root, {new.role: new.name})

    return _with_root(proposal, terms, exchange)


def revoke(
    proposal: Proposal, keyid: str, replacement: Key | None, online: Mapping[str, OnlineKey], terms: Terms
) -> Proposal:
    """Propose to trust a key no more, in no role, and to sign again whatever it has signed.

    Raises: NotFound: no role has this key. InvalidRequest: too few keys would be left, and there is no replacement.
    """
    roles = roles_with(proposal, keyid)
    if not roles:
        raise NotFound(f"no role trusts a key {keyid[:12]}")
    for role in roles:
        if role in (*ONLINE_ROLES, assignment.ROLE):
            proposal = rotate_online(proposal, online[role], terms)
        elif role not in OFFLINE_ROLES:
            proposal = _with_model_key(proposal, role, _demanded(replacement, role), terms)
        else:
            proposal = _without_key(proposal, role, keyid, replacement, terms)
    return proposal


def delegate(proposal: Proposal, model: str, key: Key, terms: Terms) -> Proposal:
    """Propose a role for a model that has none, signed by `key`. Raises: Conflict: it has one."""
    role = role_of(model)
    if keyids_of(proposal.next_targets, role):
        raise Conflict(f"the model {model} has its role already; `ganglion trust rotate` changes its key")
    return _with_model_key(proposal, role, key, terms)


def limit(proposal: Proposal, document: Envelope, key: Key | None, terms: Terms) -> Proposal:
    """Propose what a hub may ask of nodes at most. `key` signs it from now on; None: the key that has signed it so far.

    Raises: InvalidRequest: there is no envelope yet, so a key must be named. Conflict: nothing would change.
    """
    known = proposal.next_model(envelope.ROLE)
    if key is None and known is None:
        raise InvalidRequest("this hub has no envelope yet: name the key that shall sign it")
    if key is None and known is not None and envelope.document_in(known) == envelope.encode(document):
        raise Conflict("the envelope says this already; `ganglion trust renew` gives it new dates")
    if key is not None and key.keyid in proposal.next_root.keys:
        raise InvalidRequest("the envelope's key must not be a key of root, targets or the hub itself")
    if key is not None:
        proposal = _with_model_key(proposal, envelope.ROLE, key, terms)
    entry = envelope.target_of(document)
    return _with_model(proposal, envelope.ROLE, terms, lambda targets: targets.targets.update({envelope.PATH: entry}))


def renew(proposal: Proposal, roles: Collection[str], terms: Terms) -> Proposal:
    """Propose the same metadata with new dates, for these roles. Raises: NotFound."""
    for role in sorted(roles):
        if role == Root.type:
            proposal = _with_root(proposal, terms, _unchanged)
        elif role == Targets.type:
            proposal = _with_targets(proposal, terms, _unchanged)
        else:
            _model_key_ids(proposal, role)
            proposal = _with_model(proposal, role, terms, _unchanged)
    return proposal


def withdraw(proposal: Proposal, path: str, role: str, terms: Terms) -> Proposal:
    """Propose not to vouch for a package any more: no node takes it from then on. Raises: NotFound."""
    model = proposal.next_model(role)
    if model is None or path not in model.targets:
        raise NotFound(f"{role} does not sign {path[:200]!r}")
    return _with_model(proposal, role, terms, lambda targets: targets.targets.pop(path))


def roles_with(proposal: Proposal, keyid: str) -> list[str]:
    """Return the roles that trust a key, given by its id; a key for assignments by its raw public key."""
    root, targets = proposal.next_root, proposal.next_targets
    roles = [name for name, role in root.roles.items() if keyid in role.keyids]
    roles += [assignment.ROLE] if keyid in assignment.keys_of(root) else []
    delegated = (targets.delegations.roles or {}) if targets.delegations else {}
    return roles + [name for name, role in delegated.items() if keyid in role.keyids]


def _without_key(proposal: Proposal, role: str, keyid: str, replacement: Key | None, terms: Terms) -> Proposal:
    left = len(keyids_of(proposal.next_root, role)) - 1 + (replacement is not None)
    if left < proposal.next_root.roles[role].threshold:
        raise InvalidRequest(
            f"{role} would be left with {left} keys of the {proposal.next_root.roles[role].threshold} that must sign: "
            f"give a replacement"
        )

    def remove(root: Root) -> None:
        root.revoke_key(keyid, role)
        if replacement:
            root.add_key(replacement, role)

    proposal = _with_root(proposal, terms, remove)
    return _with_targets(proposal, terms, _unchanged) if role == Targets.type else proposal


def _with_model_key(proposal: Proposal, role: str, key: Key, terms: Terms) -> Proposal:
    """Give a model's role this one key, and have it sign the model's packages again."""
    delegated = DelegatedRole(role, [key.keyid], 1, terminating=True, paths=paths_of(role))

    def exchange(targets: Targets) -> None:
        present = targets.delegations or Delegations({}, {})
        roles = {**(present.roles or {}), role: delegated}
        used = {keyid for one in roles.values() for keyid in one.keyids}
        keys = {keyid: each for keyid, each in {**present.keys, key.keyid: key}.items() if keyid in used}
        targets.delegations = Delegations(keys, roles)

    return _with_model(_with_targets(proposal, terms, exchange), role, terms, _unchanged)


def _with_root(proposal: Proposal, terms: Terms, change: Callable[[Root], object]) -> Proposal:
    root = Root.from_dict(copy.deepcopy(proposal.next_root.to_dict()))
    root.version, root.expires = proposal.present.root.signed.version + 1, terms.expiry(Root)
    change(root)
    return replace(proposal, root=Metadata(root))


def _with_targets(proposal: Proposal, terms: Terms, change: Callable[[Targets], object]) -> Proposal:
    targets = Targets.from_dict(copy.deepcopy(proposal.next_targets.to_dict()))
    targets.version, targets.expires = proposal.present.targets.signed.version + 1, terms.expiry(Targets)
    change(targets)
    return replace(proposal, targets=Metadata(targets))


def _with_model(proposal: Proposal, role: str, terms: Terms, change: Callable[[Targets], object]) -> Proposal:
    known, present = proposal.next_model(role), proposal.present.models.get(role)
    model = Targets.from_dict(copy.deepcopy(known.to_dict())) if known else Targets()
    model.version = present.signed.version + 1 if present else 1
    model.expires = terms.expiry(Targets)
    change(model)
    return replace(proposal, models={**proposal.models, role: Metadata(model)})


def _unchanged(_signed: Root | Targets) -> None:
    """Change nothing but the dates."""


def _check_holds(proposal: Proposal, role: str, keyid: str) -> None:
    if keyid not in keyids_of(proposal.next_root, role):
        raise NotFound(f"{role} has no key {keyid[:12] or '(none given)'}")


def _model_key_ids(proposal: Proposal, role: str) -> tuple[str, ...]:
    known = keyids_of(proposal.next_targets, role)
    if not known:
        raise NotFound(f"there is no role {role[:80]!r}")
    return known


def _demanded(replacement: Key | None, role: str) -> Key:
    if replacement is None:
        raise InvalidRequest(f"{role} would be left without a key: give a replacement")
    return replacement
