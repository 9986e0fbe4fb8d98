"""What a look at the signed metadata costs a node: 10,000 packages of 500 models, nothing new, or one new package.

Bytes are file contents; heads of requests and TLS come on top. CPU is that of the client alone.
"""

import hashlib
import json
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.metadata import DelegatedRole, Delegations, TargetFile, Targets

from ganglion.adapters.https_link.tuf_client import TufClient
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import NotFound
from ganglion.core.ids import Digest
from ganglion.hub.services.releases.repository import Repository
from ganglion.ports.clock import utc_s
from ganglion.testing.memory_files import MemoryMetadataFiles, MemorySigningKeys
from ganglion.trust import edition, repository, target_path
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.repository import Package
from ganglion.trust.signing import Signing
from ganglion.wire import paths

MODELS, VERSIONS = 500, 20
ROUNDS = 15
LOOKED_AT = paths.target_path("m7", "1", "fp32")
RESULTS = Path(__file__).parent / "results"


class Hub:
    """A repository in memory that counts what is fetched of it."""

    def __init__(self) -> None:
        self.files, self.keys = MemoryMetadataFiles(), MemorySigningKeys()
        self.repository = Repository(files=self.files, keys=self.keys, clock=SystemClock())
        self.repository.initialise()
        self.fetched: list[int] = []

    def fetch(self, name: str, *, bytes_max: int, ends_at_s: float) -> bytes:
        assert bytes_max > 0, "a limit is set"
        assert ends_at_s > 0, "a deadline, too"
        try:
            data = self.repository.metadata(name)
        except NotFound:
            self.fetched.append(0)
            raise
        self.fetched.append(len(data))
        return data

    def fill(self) -> None:
        """Sign all packages in one edition; one by one would take hours."""
        now, signing = edition.load(self.files.read), self.signing()
        roles, keys, changes = {}, {}, {}
        for model in (f"m{number}" for number in range(MODELS)):
            role, key = target_path.role_of(model), signing.public_key(target_path.role_of(model))
            keys[key.keyid] = key
            roles[role] = DelegatedRole(role, [key.keyid], 1, terminating=True, paths=[target_path.pattern_of(model)])
        targets = Targets(version=2, expires=signing.expiry(Targets), delegations=Delegations(keys, roles))
        for number in range(MODELS):
            listed = Targets(version=1, expires=signing.expiry(Targets), targets=packages_of(f"m{number}"))
            role = target_path.role_of(f"m{number}")
            changes[role] = signing.sign(role, listed, targets)
        changes[Targets.type] = signing.sign(Targets.type, targets, now.root.signed)
        for file in repository.next_edition(now, changes, signing):
            self.files.write(file.name, file.data)

    def signing(self) -> Signing:
        return Signing(private_key=self.keys.private_bytes, now_s=utc_s(SystemClock()), settings=RepositorySettings())


def packages_of(model: str) -> dict[str, TargetFile]:
    paths_of = [target_path.parse(paths.target_path(model, str(version), "fp32")) for version in range(VERSIONS)]
    packages = [Package(path=path, sha256=digest_of(str(path)), size_bytes=1) for path in paths_of]
    return {str(package.path): repository.target_file(package) for package in packages}


def digest_of(name: str) -> Digest:
    return Digest(hashlib.sha256(name.encode()).hexdigest())


def look(client: TufClient) -> None:
    trusted = client.refresh(datetime.fromtimestamp(utc_s(SystemClock()), tz=UTC))
    assert client.find(LOOKED_AT, trusted) is not None, "the package is signed"


def measured(hub: Hub, client: TufClient) -> dict[str, float]:
    hub.fetched.clear()
    began_s = time.process_time()
    look(client)
    return {
        "cpu_ms": (time.process_time() - began_s) * 1e3,
        "bytes": sum(hub.fetched),
        "requests": len(hub.fetched),
    }


def main() -> None:
    hub = Hub()
    hub.fill()
    figures: dict[str, list[dict[str, float]]] = {"first look": [], "no change": [], "no change, restarted": []}
    figures["one change elsewhere"], figures["one change here"] = [], []
    for number in range(ROUNDS):
        files = MemoryMetadataFiles()
        client = TufClient(source=hub, files=files, clock=SystemClock(), bootstrap=hub.repository.root())
        figures["first look"].append(measured(hub, client))
        figures["no change"].append(measured(hub, client))
        again = TufClient(source=hub, files=files, clock=SystemClock(), bootstrap=hub.repository.root())
        figures["no change, restarted"].append(measured(hub, again))
        for what, model in (("one change elsewhere", "m8"), ("one change here", "m7")):
            path = paths.target_path(model, f"new{number}", "fp32")
            hub.repository.publish(path, "ab" * 32, 1, model)
            figures[what].append(measured(hub, client))
    for what, rounds in figures.items():
        middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        spread = sorted(one["cpu_ms"] for one in rounds)
        print(
            f"{what:22} {middle['bytes']:9,.0f} bytes in {middle['requests']:.0f} requests, "
            f"CPU median {middle['cpu_ms']:6.1f} ms ({spread[0]:.1f} to {spread[-1]:.1f})"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "tuf_refresh.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
