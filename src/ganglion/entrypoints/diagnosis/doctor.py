"""Tries what a node depends on, one thing after another, and says what is wrong, why it matters and what to do."""

import http.client
import os
import socket
import stat
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from ganglion.adapters.package_files import read_manifest
from ganglion.core.errors import DataCorrupt, GanglionError
from ganglion.entrypoints.diagnosis.findings import Examination, examine
from ganglion.entrypoints.hub_client import errors as hub_errors
from ganglion.entrypoints.hub_client.pinned_tls import HubAddress, context_for, fetch_ca, parse_address
from ganglion.entrypoints.hub_client.timed_line import TimedLine
from ganglion.entrypoints.models import engines
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain import health
from ganglion.node.domain.health import HealthFacts, HealthLimits
from ganglion.node.services.identity import NodeIdentity, load_identity
from ganglion.node.services.places import Places
from ganglion.ports.clock import Clock, utc_s
from ganglion.trust.clock_floor import BUILT_AT_S
from ganglion.wire.diagnosis import HealthCheck, HealthReport, Verdict

_TIMEOUT_S: Final = 10.0
_READY: Final = "/readyz"
_OTHERS_BITS: Final = stat.S_IRWXG | stat.S_IRWXO
_LIMITS: Final = HealthLimits()


def doctor_report(settings: NodeSettings, *, clock: Clock) -> HealthReport:
    """Try everything. Takes up to a minute when the network swallows what is sent. Raises: NotJoined, DataCorrupt."""
    places = Places(settings.data_path)
    identity = load_identity(places.identity)
    examination = examine(settings, clock=clock)
    checks = (
        _directory(settings.data_path),
        *_own_clock(clock),
        *_hub(identity, places, clock),
        *_packages(examination),
        *_runtimes(),
        *health.checks(examination.facts, _LIMITS),
    )
    return HealthReport(node=identity.name, at_s=utc_s(clock), verdict=health.worst(checks), checks=checks)


def _directory(data: Path) -> HealthCheck:
    name = "data directory"
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return _bad(name, f"{data} cannot be written by this user", "Run as the user of the node, or mend its owner.")
    if data.stat().st_mode & _OTHERS_BITS:
        remedy = f"chmod 700 {data}: whoever reads it has the node's key."
        return HealthCheck(name, Verdict.WARN, f"{data} is open to other users", remedy)
    return _ok(name, f"{data} is private and can be written")


def _own_clock(clock: Clock) -> Iterator[HealthCheck]:
    if utc_s(clock) < BUILT_AT_S:
        yield _bad(
            "own clock",
            "it shows a time before this release was made",
            "Set the time, or let the machine ask a time server; updates wait until then, and serving does not.",
        )


def _hub(identity: NodeIdentity, places: Places, clock: Clock) -> Iterator[HealthCheck]:
    """Try name, port, certificate and answer in turn; what follows a failure is not tried."""
    address = parse_address(identity.hub_url)
    steps: tuple[tuple[str, Callable[[], list[HealthCheck]]], ...] = (
        ("name of the hub", lambda: [_resolved(address)]),
        ("port of the hub", lambda: [_connected(address)]),
        ("certificate of the hub", lambda: [_pinned(identity)]),
        ("answer of the hub", lambda: _answered(address, places, clock)),
    )
    for name, step in steps:
        try:
            yield from step()
        except (OSError, UnicodeError, GanglionError) as error:
            # The second is what Python says of a name that cannot be one.
            yield _bad(name, str(error), _REMEDIES[name])
            return


_REMEDIES: Final = {
    "name of the hub": "Mend the name server of this machine, or the name in the hub's address.",
    "port of the hub": "Open the way to this port in firewall and proxy, and see that the hub runs.",
    "certificate of the hub": "Somebody else answers, or the hub was made anew: ask its operator, then join again.",
    "answer of the hub": "A proxy answers in the hub's place, or the hub is in trouble: read its log.",
}


def _resolved(address: HubAddress) -> HealthCheck:
    found = socket.getaddrinfo(address.host.strip("[]"), address.port, type=socket.SOCK_STREAM)
    shown = ", ".join(sorted({str(each[4][0]) for each in found})[:4])
    return _ok("name of the hub", f"{address.host} is {shown}")


def _connected(address: HubAddress) -> HealthCheck:
    with socket.create_connection((address.host.strip("[]"), address.port), timeout=_TIMEOUT_S):
        return _ok("port of the hub", f"{address} takes connections")


def _pinned(identity: NodeIdentity) -> HealthCheck:
    fetch_ca(identity.hub_url, identity.ca_pin)
    return _ok("certificate of the hub", "its authority is the one that this node joined with")


def _answered(address: HubAddress, places: Places, clock: Clock) -> list[HealthCheck]:
    context, host = context_for(_read(places.ca)), address.host.strip("[]")
    try:
        # The head says all that is asked for: of a body that has no end nothing is read.
        with TimedLine(host, address.port, seconds=_TIMEOUT_S, context=context).opened() as line:
            line.request("GET", _READY)
            reply = line.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise hub_errors.refusal(address, error) from error
    if reply.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        remedy = _REMEDIES["answer of the hub"]
        answer = HealthCheck("answer of the hub", Verdict.WARN, f"it answers {reply.status}", remedy)
    else:
        answer = _ok("answer of the hub", "it takes requests")
    return [answer, *_compared(reply.headers.get("Date", ""), clock)]


def _compared(date: str, clock: Clock) -> list[HealthCheck]:
    """Compare this machine's clock with the hub's."""
    try:
        error_s = utc_s(clock) - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return []
    # A date has whole seconds, and took some time to arrive.
    rounded_s = 0.0 if abs(error_s) < 2.0 else error_s  # noqa: PLR2004 - as the comment says
    return health.checks(HealthFacts(clock_error_s=rounded_s), _LIMITS)


def _packages(examination: Examination) -> Iterator[HealthCheck]:
    for name, model in sorted(examination.state.models.items()):
        if model.committed is None:
            continue
        what = f"package of {name}"
        try:
            read_manifest(Path(model.committed.path))
        except GanglionError as error:
            remedy = "The node fetches it again from the hub, and serves the version before until then."
            yield _bad(what, f"version {model.committed.version} is damaged: {error.message}", remedy)
        else:
            yield _ok(what, f"version {model.committed.version} is as it was signed")


def _runtimes() -> Iterator[HealthCheck]:
    found = engines.available_runtimes()
    if found:
        yield _ok("runtimes", ", ".join(found))
    else:
        yield _bad("runtimes", "none is installed", "Install the package again; the base install has ONNX Runtime.")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataCorrupt(f"{file} cannot be read: {error.strerror}") from error


def _ok(name: str, fact: str) -> HealthCheck:
    return HealthCheck(name, Verdict.OK, fact)


def _bad(name: str, fact: str, remedy: str) -> HealthCheck:
    return HealthCheck(name, Verdict.BAD, fact, remedy)
