"""What proves who somebody is: assertions, statements, challenges, tokens, headers, chains, segments, in process.

Each case is a proof that was good once, spoilt. A refusal is fine; any other exception is a finding, and so is a proof
that is accepted although one of its signed bytes is another.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
from structlog.testing import capture_logs

from fuzz.campaign import Case, Finding
from fuzz.mutations import damaged, encode, pieces_of, spliced, spoilt
from ganglion.adapters.node_keys import RawKey
from ganglion.core.errors import GanglionError
from ganglion.entrypoints.client_access.guard import ClientGuard
from ganglion.entrypoints.client_access.local_clients import ClientFile, Wish
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.trust import assertion, audit, audit_segment, bearer, challenge, join_token, node_statements
from ganglion.trust.assertion import Expectation
from ganglion.trust.audit import Checkpoint, Link, Stored
from ganglion.trust.audit_segment import SegmentHead
from ganglion.trust.client_tokens import Verb
from ganglion.trust.node_statements import Measured, Rekey

KEY, PIN, NODE, NOW_S = bytes(range(32)), "ab" * 32, "7" * 32, 1_700_000_000.0
PUBLIC = assertion.public_key_of(KEY)
EXPECTED = Expectation(audience=PIN, now_s=NOW_S)
_DOMAIN_BYTES = 64
"""Of a signature; what comes before it in a case is what was signed."""

Reader = Callable[[bytes], str]


class IdentityTarget:
    """Reads what a hub and a node read before they know who speaks."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ganglion-fuzz-")
        self._clock, chance = FakeClock(), SeededChance(5)
        clients = ClientFile(Path(self._folder.name) / "clients.json")
        self._token = clients.add(Wish(name="camera", models=["gate"]), chance=chance, clock=self._clock)
        self._guard = ClientGuard(clients.path, clock=self._clock)
        self._nonce = challenge.compose(KEY, bytes(16), expires_at_s=NOW_S + 60)
        self._good: dict[str, bytes] = {
            "assertion": self._signed_assertion(),
            "rekey": _signed(Rekey(node_id=NODE, audience=PIN, nonce=self._nonce, public_key=PUBLIC)),
            "facts": _signed(Measured(node_id=NODE, audience=PIN, nonce=self._nonce, facts={"release": "1"})),
            "challenge": self._nonce.encode(),
            "join": join_token.compose(bytes(24), PIN).encode(),
            "header": b"Bearer " + self._token.encode(),
            "segment": _segment(),
        }
        self._readers: dict[str, Reader] = {
            "assertion": self._read_assertion,
            "rekey": lambda data: self._read_statement(Rekey, "rekey", data),
            "facts": lambda data: self._read_statement(Measured, "facts", data),
            "challenge": self._read_challenge,
            "join": self._read_join,
            "header": self._read_header,
            "segment": self._read_segment,
        }

    def make(self, random: Random) -> Case:
        """Return a proof, mostly spoilt."""
        kind = random.choice(list(self._good))
        data = self._good[kind]
        match random.randrange(8):
            case 0:
                pass
            case 1:
                data = spliced(data, self._good[random.choice(list(self._good))], random)
            case 2:
                data = self._good[random.choice(list(self._good))]
            case 3 if kind in {"assertion", "rekey", "facts"}:
                body = msgspec.json.decode(data[:-_DOMAIN_BYTES])
                data = encode(spoilt(body, random, names=tuple(body))) + data[-_DOMAIN_BYTES:]
            case _:
                data = damaged(data, random)
        return Case(kind, pieces_of(data, random))

    def run(self, case: Case) -> str:
        """Read it. Raises: Finding: it failed otherwise than by a refusal, or a forgery was accepted."""
        data = b"".join(case.pieces)
        with capture_logs():
            try:
                return self._readers[case.kind](data)
            except GanglionError as error:
                return f"{case.kind} {error.code}"
            except Exception as error:
                raise Finding(f"{case.kind}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Remove the file of clients."""
        self._folder.cleanup()

    def _signed_assertion(self) -> bytes:
        payload = assertion.compose(node_id=NODE, audience=PIN, nonce=self._nonce, issued_at_s=NOW_S)
        return payload + assertion.sign(KEY, payload)

    def _read_assertion(self, data: bytes) -> str:
        assertion.verify(PUBLIC, data[:-_DOMAIN_BYTES], data[-_DOMAIN_BYTES:], EXPECTED)
        return self._accepted("assertion", data)

    def _read_statement(self, kind: type[Rekey | Measured], name: str, data: bytes) -> str:
        node_statements.verify(kind, PUBLIC, data[:-_DOMAIN_BYTES], data[-_DOMAIN_BYTES:])
        return self._accepted(name, data)

    def _read_challenge(self, data: bytes) -> str:
        is_good = challenge.is_good(KEY, data.decode("utf-8", "replace"), now_s=NOW_S)
        return self._accepted("challenge", data) if is_good else "challenge refused"

    def _read_join(self, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        parsed = join_token.parse(text)
        if join_token.secret_in(text) != parsed.secret_text or f"{parsed.secret_text}.{parsed.ca_pin}" != text:
            raise Finding("a join token is read as another")
        return "join read"

    def _read_header(self, data: bytes) -> str:
        try:
            self._guard.check(data, Verb.INFER, "gate")
        except GanglionError:
            if data == self._good["header"]:
                raise Finding("a good token is refused") from None
            raise
        if data[7:] != self._good["header"][7:] or bearer.kind_of(data[7:].decode()) != "client":
            raise Finding("a token that was never given is accepted")
        return "header read"

    def _read_segment(self, data: bytes) -> str:
        head, _links = audit_segment.parse(data)
        _, faults = audit_segment.verify(head.name, data, after=None, public_key=PUBLIC)
        return "segment refused" if faults else self._accepted("segment", data)

    def _accepted(self, kind: str, data: bytes) -> str:
        if data != self._good[kind] and not (kind == "segment" and _is_same_segment(data, self._good[kind])):
            raise Finding(f"a changed {kind} is accepted")
        return f"{kind} read"


def _signed(statement: Rekey | Measured) -> bytes:
    payload = node_statements.encode(statement)
    return payload + RawKey(KEY).sign(node_statements.signed_bytes(type(statement), payload))


def _segment() -> bytes:
    previous, documents = audit.ORIGIN, []
    for number in range(1, 4):
        link = Link(
            writer="hub",
            number=number,
            previous=previous,
            at_ns=number,
            monotonic_ms=0,
            boot="b",
            actor="ada",
            action="a",
        )
        documents.append(link.encode())
        previous = audit.link_hash(documents[-1])
    point = audit.sign_checkpoint(KEY, Checkpoint(writer="hub", number=3, hash=previous, at_ns=9))
    return audit_segment.encode(
        SegmentHead(first=1, previous=audit.ORIGIN, checkpoint=point, public_key=PUBLIC), documents
    )


def _is_same_segment(one: bytes, other: bytes) -> bool:
    """Say whether both hold the same links under the same checkpoint; spaces in the first line mean nothing."""
    (head, links), (known, kept) = audit_segment.parse(one), audit_segment.parse(other)
    return _links_of(links) == _links_of(kept) and head.checkpoint.hash == known.checkpoint.hash


def _links_of(links: list[Stored]) -> list[tuple[int, bytes]]:
    return [(link.number, link.document) for link in links]
