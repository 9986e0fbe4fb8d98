"""The hubs that this user has logged in to: address, token and pinned CA, in one file that only the user can read."""

from pathlib import Path

import msgspec

from ganglion.adapters.files import replace_file
from ganglion.core.errors import DiskUnusable, InvalidSettings


class Login(msgspec.Struct, frozen=True):
    """One hub, and who this user is there."""

    hub: str
    token: str
    ca_pem: str


class Logins(msgspec.Struct, frozen=True):
    """Logins by address; `current` is the one that commands use unless told otherwise."""

    current: str = ""
    by_hub: dict[str, Login] = {}


class LoginFile:
    """Where the logins are kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Logins:
        """Return what is stored. Raises: InvalidSettings: the file is damaged. DiskUnusable."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Logins)
        except FileNotFoundError:
            return Logins()
        except OSError as error:
            raise DiskUnusable(f"{self.path}: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise InvalidSettings(f"{self.path} is damaged; remove it and log in again ({error})") from error

    def find(self, hub: str = "") -> Login | None:
        """Return the login at this address, or the current one."""
        logins = self.read()
        return logins.by_hub.get(hub or logins.current)

    def add(self, login: Login) -> None:
        """Store a login and make it the current one. Raises: DiskUnusable."""
        self._write(Logins(current=login.hub, by_hub={**self.read().by_hub, login.hub: login}))

    def remove(self, hub: str = "") -> str | None:
        """Forget a login, or the current one; return its address, or None when there was none."""
        logins = self.read()
        gone = hub or logins.current
        if gone not in logins.by_hub:
            return None
        rest = {address: login for address, login in logins.by_hub.items() if address != gone}
        current = logins.current if logins.current in rest else ""
        self._write(Logins(current=current, by_hub=rest))
        return gone

    def _write(self, logins: Logins) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DiskUnusable(f"{self.path.parent}: {error.strerror}") from error
        replace_file(self.path, msgspec.json.encode(logins), mode=0o600)
