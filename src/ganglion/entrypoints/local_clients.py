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
from ganglion.entrypoints.client_list import read_clients
from ganglion.ports.clock import Chance, Clock, utc_s
from ganglion.trust import bearer
from ganglion.trust.client_tokens import KIND, ClientList, LocalClient, Verb

_CLIENTS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a new client may do, and for how long."""

    name: str
    models: Sequence[str] = ()
    verbs: Sequence[str] = (Verb.INFER, Verb.READ)
    life_s: float | None = None


class ClientFile:
    """Clients by name. Two commands at once change it one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> ClientList | None:
        """Return the list; None: there is no file. Raises: DataCorrupt, DiskUnusable."""
        return read_clients(self.path)

    def add(self, wish: Wish, *, chance: Chance, clock: Clock) -> str:
        """Add a client and return its token, which is shown once. Raises: InvalidName, InvalidRequest, Conflict."""
        parse_name(wish.name, what="client")
        models = tuple(str(parse_name(model, what="model")) for model in wish.models)
        if wish.life_s is not None and not 0 < wish.life_s < float("inf"):
            raise InvalidRequest("the life of a token is a positive number of seconds")
        token, now_s = bearer.compose(KIND, chance.token_bytes(bearer.SECRET_BYTES)), utc_s(clock)
        added = LocalClient(
            name=wish.name,
            token_sha256=bearer.hash_secret(token),
            models=models,
            verbs=_verbs(wish.verbs),
            added_at_s=now_s,
            expires_at_s=None if wish.life_s is None else now_s + wish.life_s,
        )
        with self._changing():
            clients = (self.read() or ClientList()).clients
            if any(client.name == wish.name for client in clients):
                raise Conflict(f"a client named {wish.name} exists already")
            if len(clients) >= _CLIENTS_MAX:
                raise Conflict(f"there are {_CLIENTS_MAX} clients, which is the limit")
            self._write((*clients, added))
        return token

    def remove(self, name: str) -> None:
        """Remove a client; its token is refused within a second. Raises: NotFound."""
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


def _verbs(words: Sequence[str]) -> tuple[Verb, ...]:
    try:
        return tuple(sorted({Verb(word) for word in words}))
    except ValueError as error:
        raise InvalidRequest(f"a client can {', '.join(Verb)}: {error}") from error
