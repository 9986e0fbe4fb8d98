"""A web address on loopback that takes messages of a hub, or does whatever else such addresses do."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Receiver:
    """What it was sent, and how it answers: `answers` in their turn, then 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    """Statuses; 0 says nothing and keeps the line open until the receiver ends."""
    asked: list[str] = field(default_factory=list)
    """Every path that was asked for, in its order."""
    taken: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)
    ends: threading.Event = field(default_factory=threading.Event)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was taken, decoded."""
        return [json.loads(body) for body, _ in self.taken]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run one until the block ends."""
    known = Receiver()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            known.asked.append(self.path)
            status = known.answers.pop(0) if known.answers else 204
            if status == 0:
                known.ends.wait(30.0)
                return
            if 200 <= status < 300:
                known.taken.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{known.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        known.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield known
        finally:
            known.ends.set()
            server.shutdown()
            thread.join()
