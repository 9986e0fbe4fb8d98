"""Make this machine a node: recognise the hub by its pin, make a key, spend the token, write down who we are."""

from importlib.metadata import version
from pathlib import Path

import msgspec
import urllib3

from ganglion.adapters.files import replace_file
from ganglion.adapters.system import node_facts
from ganglion.core.errors import Conflict, HubUnreachable
from ganglion.entrypoints.hub_client.errors import refusal, reply_error
from ganglion.entrypoints.hub_client.pinned_tls import context_for, fetch_ca, parse_address
from ganglion.entrypoints.models.engines import available_runtimes
from ganglion.entrypoints.node import provisioning
from ganglion.node.services.identity import NodeIdentity, load_identity
from ganglion.node.services.places import Places
from ganglion.ports.node_keys import NodeKeys
from ganglion.trust import join_token
from ganglion.wire import codec, paths
from ganglion.wire.identity import JoinReply, JoinRequest

_TIMEOUT_S = 20.0
_REPLY_BYTES_MAX = 1_000_000
_OK = 200


def join(url: str, token_text: str, data: Path, *, keys: NodeKeys) -> NodeIdentity:
    """Enrol with the hub at `url` and write the identity below `data`.

    May be repeated: with the same token after a lost reply it leads to the same node. The identity file is
    written last, so that a directory with one is complete.
    Raises: Conflict: this directory is a node already. TokenRefused, CaMismatch, HubUnreachable, DiskUnusable.
    """
    places = Places(data)
    if places.identity.exists():
        identity = load_identity(places.identity)
        raise Conflict(f"{data} is the node {identity.name!r} of {identity.hub_url} already")
    token = join_token.parse(token_text)
    ca_pem = fetch_ca(url, token.ca_pin)
    request = JoinRequest(
        token=token.secret_text,
        public_key=keys.begin().public_key,
        facts=node_facts(runtimes=available_runtimes(), release=version("ganglion")),
    )
    reply = _exchange(url, ca_pem, request)
    places.tuf_root.parent.mkdir(parents=True, exist_ok=True)
    replace_file(places.ca, ca_pem)
    replace_file(places.tuf_root, reply.tuf_root)
    identity = NodeIdentity(
        node_id=reply.node_id,
        name=reply.name,
        site=reply.site,
        hub_url=str(parse_address(url)),
        ca_pin=token.ca_pin,
    )
    replace_file(places.identity, msgspec.json.format(msgspec.json.encode(identity), indent=2))
    return identity


def join_from(place: Path, name: str, data: Path, *, keys: NodeKeys) -> NodeIdentity:
    """Enrol with a line of a file that `ganglion node tokens` wrote, and wipe the line.

    May be repeated at each start of a machine: a directory that is a node already is left as it is.
    Raises: NotFound, DataCorrupt: no such file or line. TokenRefused, CaMismatch, HubUnreachable, DiskUnusable.
    """
    places = Places(data)
    if places.identity.exists():
        return load_identity(places.identity)
    file = provisioning.find(place)
    line = provisioning.take(file, name)
    identity = join(line.hub, line.token, data, keys=keys)
    provisioning.wipe(file, line)
    return identity


def _exchange(url: str, ca_pem: bytes, request: JoinRequest) -> JoinReply:
    address = parse_address(url)
    with urllib3.HTTPSConnectionPool(
        address.host, address.port, ssl_context=context_for(ca_pem), retries=False, timeout=urllib3.Timeout(_TIMEOUT_S)
    ) as pool:
        try:
            reply = pool.request(
                "POST", paths.JOIN, body=codec.encode_json(request), redirect=False, preload_content=False,
                headers={"Content-Type": codec.JSON_TYPE},
            )  # fmt: skip
            body = reply.read(_REPLY_BYTES_MAX)
        except urllib3.exceptions.HTTPError as error:
            raise refusal(address, error) from error
    if reply.status != _OK:
        raise reply_error(address, reply.status, reply.headers.get("Content-Type", ""), body)
    if not body:
        raise HubUnreachable(f"{address} sent an empty reply")
    return codec.decode_json(body, JoinReply)
