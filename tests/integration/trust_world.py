"""A served hub with a node on the real link, and the people who hold its keys."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganglion.adapters.files import DirectoryFiles
from ganglion.adapters.https_link.link import HttpsHubLink
from ganglion.adapters.https_link.session import Identity, LinkSettings
from ganglion.adapters.key_documents import key_from_raw
from ganglion.adapters.package_files import PackageArchives
from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.key_holders.publisher_signing import describe, sign_release
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.ports.clock import utc_s
from ganglion.testing.memory_keys import MemoryKeys
from ganglion.trust.ceremony import proposal
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal
from ganglion.trust.ceremony.proposals import OnlineKey
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.signing import Terms
from ganglion.wire import codec, paths
from ganglion.wire.desired import Assignment, DesiredState
from integration.hub_api_world import CallingNode, ServedHub, make_package, serving
from unit.trust.ceremonies import HOLDERS, signed_by, signer


@dataclasses.dataclass(slots=True)
class World:
    """One hub, one account, one node."""

    hub: ServedHub
    client: HubClient
    directory: Path
    node: CallingNode
    tuf_root: bytes

    def terms(self) -> Terms:
        return Terms(now_s=utc_s(SystemClock()), settings=RepositorySettings())

    def start(self) -> Proposal:
        return Proposal(proposal.read_present(self.client.trust_documents()))

    def publish(self, proposed: Proposal, *names: str) -> None:
        signed = signed_by(proposed, *names)
        self.client.install_trust({role: document.to_bytes() for role, document in signed.documents()})

    def take_keys_off(self) -> None:
        """The first ceremony: two of ada, bo and cy; models by the publisher."""
        start = self.start()
        keys = [signer(name).public_key for name in HOLDERS]
        begun = ceremony.begin(start, keys, 2, signer("publisher").public_key, self.terms())
        self.publish(begun, "ada", "bo", *(["publisher"] if start.present.models else []))

    def offered(self) -> dict[str, OnlineKey]:
        return {
            view.role: OnlineKey(view.role, view.name, key_from_raw(view.public_key), view.public_key)
            for view in self.client.make_online_keys().online_keys
        }

    def release(self, version: str, *, key: str = "", model: str = "digits") -> None:
        """Release a package as `ganglion model publish` does, with `--key` if a person's name is given."""
        file = make_package(self.directory, version, model=model)
        if key:
            package = describe(PackageArchives().inspect(file), file)
            signed = sign_release(self.client.trust_documents(), package, signer(key), self.terms())
            assert signed is not None, "it is new"
            self.client.offer_model(package.path.role, signed)
        self.client.release(file)

    def roll_out(self, version: str) -> Assignment:
        """Roll a version out to the node and return what the node is told."""
        started = self.hub.post(paths.ROLLOUTS, {"model": "digits", "version": version, "stages": ["100%"]}).json
        assert isinstance(started, dict)
        self.hub.post(paths.rollout(started["rollout_id"], "promote"), {})
        return self.told().assignments[0]

    def told(self) -> DesiredState:
        """What the hub wants of the node now."""
        return codec.decode_json(self.node.desired(-1, 0).body, DesiredState)

    def link(self, directory: str = "metadata") -> HttpsHubLink:
        """The node's own link, whose trusted metadata lies in `directory`."""
        identity = Identity(self.hub.url, self.node.identity.node_id, self.hub.ca_pin, MemoryKeys(self.node.key))
        return HttpsHubLink(
            identity=identity,
            ca_pem=self.hub.ca_file.read_bytes(),
            tuf_root=self.tuf_root,
            open_metadata=lambda: DirectoryFiles(self.directory / directory),
            clock=SystemClock(),
            settings=LinkSettings(),
        )

    def accepts(self, assignment: Assignment) -> bool:
        """Whether the node finds this assignment signed from the root on; raises what it refuses."""
        self.link().check_target(assignment, root_version_min=self.told().root_version_min)
        return True


@contextmanager
def trust_world(directory: Path) -> Iterator[World]:
    """Serve a new hub in `directory` and enrol a node."""
    with serving(HubSettings(data_dir=str(directory / "hub"), port=0)) as hub:
        node = hub.join("gate")
        node.report()
        client = HubClient(hub.url, ca_pem=hub.ca_file.read_bytes(), token=hub.token, settings=ClientSettings())
        with client:
            yield World(hub, client, directory, node, node.identity.tuf_root)
