"""What an idle node costs on the wire in a day: a real hub and a real node, with a relay between them that counts.

Nothing is asked of the node and no model is rolled out. The bytes of whole minutes are those of TLS records on the
relay, TCP and IP headers left out; a day is what its questions, reports and renewed tokens add up to at the node's own
pace, which is counted, not waited for. Prints the sums and writes bench/results/idle_traffic.json.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.entrypoints.settings.node import AgentSettings
from ganglion.testing.processes import HubProcess, NodeProcess, free_port, join
from ganglion.testing.relay import ThreadedRelay
from ganglion.testing.waiting import wait_until
from ganglion.wire.resources import TokenRequest

RESULTS = Path(__file__).parent / "results"
DAY_S, TOKEN_LIFE_S = 86_400.0, 900.0
START_S = 30.0


def measure(folder: Path, *, poll_s: float, report_s: float, seconds: float) -> float:
    """Return bytes per second through the relay, after the node has settled."""
    settings = folder / "node.toml"
    settings.write_text(
        f"[node.agent]\npoll_s = {poll_s}\npoll_s_max = {poll_s}\nreport_s = {report_s}\nheartbeat_s = {report_s}\n"
    )
    with HubProcess(folder / "hub", port=free_port()) as hub:
        token = hub.first_token()
        with (
            HubClient(hub.url, ca_pem=fetch_ca(hub.url, hub.ca_pin), token=token) as api,
            ThreadedRelay("127.0.0.1", hub.port) as relay,
        ):
            url = f"https://127.0.0.1:{relay.port}"
            join(url, api.create_node_token(TokenRequest(name="idle")).token, folder / "node")
            with NodeProcess(folder / "node", port=free_port(), config=settings):
                wait_until(lambda: api.node("idle").last_seen_at_s, what="the node", timeout_s=START_S)
                time.sleep(2 * poll_s)
                before, began_s = relay.up_bytes + relay.down_bytes, time.monotonic()
                time.sleep(seconds)
                return (relay.up_bytes + relay.down_bytes - before) / (time.monotonic() - began_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    rates: dict[str, float] = {}
    # Two paces give two equations: what one question costs, and what one report costs.
    paces = {"questions": (2.0, 1e6), "both": (2.0, 4.0)}
    for name, (poll_s, report_s) in paces.items():
        with tempfile.TemporaryDirectory() as folder:
            rates[name] = measure(Path(folder), poll_s=poll_s, report_s=report_s, seconds=options.seconds)
    question_bytes = rates["questions"] * 2.0
    report_bytes = max(0.0, rates["both"] - rates["questions"]) * 4.0
    agent = AgentSettings()
    day = {
        "questions": DAY_S / agent.poll_s_max * question_bytes,
        "reports": DAY_S / agent.heartbeat_s * report_bytes,
        # A challenge and an access token are two exchanges of a question's size.
        "tokens": DAY_S / TOKEN_LIFE_S * 2 * question_bytes,
    }
    print(f"one question {question_bytes:.0f} bytes, one report {report_bytes:.0f} bytes")
    for name, size in day.items():
        print(f"{name:10} {size / 1e3:8.0f} kB a day")
    print(f"{'sum':10} {sum(day.values()) / 1e3:8.0f} kB a day")
    RESULTS.mkdir(exist_ok=True)
    report = {"question_bytes": question_bytes, "report_bytes": report_bytes, "day_bytes": day}
    (RESULTS / "idle_traffic.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
