"""The file of local clients: made by `ganglion node client`, read by the process that serves, without a hub."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ganglion.adapters.files import replace_file
from ganglion.adapters.node_keys import file_lock
from ganglion.core.errors import Conflict, DiskUnusable, InvalidRequest, NotFound
from ganglion.core.ids import parse_name
from ganglion.entrypoints.client_access.client_list import read_clients
from ganglion.entrypoints.client_access.local_authority import LocalAuthority
from ganglion.ports.clock import Chance, Clock, utc_s
from ganglion.trust import bearer
from ganglion.trust.client_tokens import KIND, ClientList, LocalClient, Verb

_CLIENTS_MAX = 1000
_CERTIFICATE_LIFE_S = 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a new client may do, and for how long."""

    name: str
    models: Sequence[str] = ()
    verbs: Sequence[str] = (Verb.INFER, Verb.READ)
    life_s: float | None = None
    """None: a token has no end, a certificate lives for a year."""


class ClientFile:
    """Clients by name. Two commands at once change it one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> ClientList | None:
        """Return the list; None: there is no file. Raises: DataCorrupt, DiskUnusable."""
        return read_clients(self.path)

    def add(self, wish: Wish, *, chance: Chance, clock: Clock) -> str:
        """Add a client and return its token, which is shown once. Raises: InvalidName, InvalidRequest, Conflict."""
        now_s = utc_s(clock)
        asked = _asked(wish, now_s)
        token = bearer.compose(KIND, chance.token_bytes(bearer.SECRET_BYTES))
        expires_at_s = None if wish.life_s is None else now_s + wish.life_s
        added = msgspec.structs.replace(asked, token_sha256=bearer.hash_secret(token), expires_at_s=expires_at_s)
        with self._changing():
            self._write((*self._others(wish.name), added))
        return token

    def add_with_certificate(self, wish: Wish, out: Path, *, clock: Clock) -> LocalClient:
        """Add a client, and write its key, its certificate and that of the authority to `out`, a new file.

        Raises: InvalidName, InvalidRequest, Conflict: the client or the file exists. DiskUnusable.
        """
        now_s = utc_s(clock)
        asked = _asked(wish, now_s)
        if out.exists():
            raise Conflict(f"{out} exists already")
        with self._changing():
            others = self._others(wish.name)
            return self._certify(asked, others, wish.life_s, out, now_s)

    def renew(self, name: str, out: Path, *, life_s: float | None, clock: Clock) -> LocalClient:
        """Give a client a new key and certificate; the one before stays good until its end, or the next renewal.

        Raises: NotFound, InvalidRequest: the client has a token. DiskUnusable.
        """
        with self._changing():
            clients = (self.read() or ClientList()).clients
            found = [client for client in clients if client.name == name]
            if not found:
                raise NotFound(f"there is no client {name[:80]!r}")
            if not found[0].certificates:
                raise InvalidRequest(f"{name} has a token and no certificate: remove it, and add it again")
            others = tuple(client for client in clients if client.name != name)
            return self._certify(found[0], others, life_s, out, utc_s(clock))

    def _certify(
        self, client: LocalClient, others: tuple[LocalClient, ...], life_s: float | None, out: Path, now_s: float
    ) -> LocalClient:
        issued = LocalAuthority(self.path).issue(client.name, life_s=life_s or _CERTIFICATE_LIFE_S, now_s=now_s)
        # The file first: a certificate that nobody lists is worth nothing, a client without its key is a riddle.
        replace_file(out, issued.pem, mode=0o600)
        renewed = client.renewed(issued.sha256, issued.expires_at_s)
        self._write((*others, renewed))
        return renewed

    def _others(self, name: str) -> tuple[LocalClient, ...]:
        """Return the clients that are there. Raises: Conflict: one has the name, or there is no room."""
        clients = (self.read() or ClientList()).clients
        if any(client.name == name for client in clients):
            raise Conflict(f"a client named {name} exists already")
        if len(clients) >= _CLIENTS_MAX:
            raise Conflict(f"there are {_CLIENTS_MAX} clients, which is the limit")
        return clients

    def remove(self, name: str) -> None:
        """Remove a client; its token and its certificates are refused within a second. Raises: NotFound."""
        with self._changing():
            clients = (self.read() or ClientList()).clients
            left = tuple(client for client in clients if client.name != name)
            if len(left) == len(clients):
                raise NotFound(f"there is no client {name[:80]!r}")
            self._write(left)

    def _changing(self) -> AbstractContextManager[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DiskUnusable(f"{self.path.parent} cannot be made: {error.strerror}") from error
        return file_lock(self.path.with_name(f".{self.path.name}.lock"))

    def _write(self, clients: tuple[LocalClient, ...]) -> None:
        replace_file(self.path, msgspec.json.format(msgspec.json.encode(ClientList(clients)), indent=2), mode=0o600)


def _asked(wish: Wish, now_s: float) -> LocalClient:
    """Return the client without its proof. Raises: InvalidName, InvalidRequest."""
    parse_name(wish.name, what="client")
    if wish.life_s is not None and not 0 < wish.life_s < float("inf"):
        raise InvalidRequest("the life of a client's proof is a positive number of seconds")
    models = tuple(str(parse_name(model, what="model")) for model in wish.models)
    return LocalClient(name=wish.name, models=models, verbs=_verbs(wish.verbs), added_at_s=now_s)


def _verbs(words: Sequence[str]) -> tuple[Verb, ...]:
    try:
        return tuple(sorted({Verb(word) for word in words}))
    except ValueError as error:
        raise InvalidRequest(f"a client can {', '.join(Verb)}: {error}") from error
