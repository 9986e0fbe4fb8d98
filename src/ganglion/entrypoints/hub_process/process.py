"""The process of `ganglion hub run`: from settings to the end of the hub, with what it prints in between.

Standard output is for the operator's first minutes: the address, the CA pin, and once in a hub's life the
first account's token. Everything else is a log line on standard error.
"""

import asyncio
import logging
import signal
import sys
from functools import partial

import anyio
import structlog

from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.entrypoints.hub_api.people_views import link_path
from ganglion.entrypoints.hub_process.server import HubServer, Listening
from ganglion.entrypoints.hub_wiring.hub import Hub, open_hub
from ganglion.entrypoints.processes.logs import configure_logs
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.hub.services.people.accounts import FIRST_ACCOUNT

log = structlog.get_logger()


def run_hub(settings: HubSettings) -> None:
    """Run a hub until SIGTERM or SIGINT. A second signal does not wait for requests in progress.

    Raises: DataInUse, DataTooNew, DataCorrupt, DiskUnusable, InvalidSettings, PortInUse.
    """
    configure_logs("hub")
    logging.getLogger().addHandler(_ForeignLog(logging.WARNING))
    with open_hub(settings, clock=SystemClock(), chance=SystemChance()) as hub:
        if hub.repository.is_development:
            log.warning("trust.development_keys", text=hub.repository.warning)
        anyio.run(_serve, hub, backend_options={"use_uvloop": True})
    log.info("hub.stopped")


class _ForeignLog(logging.Handler):
    """Warnings of libraries, as lines of our own log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one warning on."""
        log.warning("library.warned", library=record.name, text=record.getMessage(), exc_info=record.exc_info)


async def _serve(hub: Hub) -> None:
    server = HubServer(hub, on_listening=partial(_announce, hub))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server, number)
    await server.run()


def _stop(server: HubServer, number: signal.Signals) -> None:
    log.info("hub.stopping", signal=number.name)
    server.stop()


def _announce(hub: Hub, listening: Listening) -> None:
    log.info("hub.listening", url=listening.url, pid=listening.pid)
    # Made as late as possible: a hub that could not start must not have used up its one chance to show the token.
    token = hub.accounts.first_account()
    link = link_path(hub.people.passwords.offer_link(FIRST_ACCOUNT)) if token else ""
    sys.stdout.write(_welcome(listening, token, link, hub.repository.warning))
    sys.stdout.flush()


def _welcome(listening: Listening, token: str | None, link: str, warning: str) -> str:
    lines = [f"Ganglion hub on {listening.url}", f"CA pin: {listening.ca_pin}"]
    lines += [f"WARNING: {warning}"] if warning else []
    if token is not None:
        lines += [
            "",
            "The first account is admin. Its token is shown this one time:",
            f"  {token}",
            "Log in, here or on another machine:",
            f"  ganglion login {listening.url} --token {token} --ca-pin {listening.ca_pin}",
            "Or choose a password in a browser; the link is good once, for a day:",
            f"  {listening.url}{link}",
        ]
    rule = "-" * 72
    return "\n".join([rule, *lines, rule, ""])
