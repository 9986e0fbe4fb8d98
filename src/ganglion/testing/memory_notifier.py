"""A target of messages that lives in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class MemoryNotifier:
    """Keeps what it is sent. While `trouble` says something, it takes nothing."""

    host: str = "memory"
    trouble: str = ""
    taken: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)
    asked: int = 0
    on_send: Callable[[], None] | None = None
    """Is called when a message has arrived, and before anybody knows that."""

    def send(self, body: bytes, headers: Mapping[str, str]) -> str:
        """Take a message, or say why not."""
        self.asked += 1
        if self.trouble:
            return self.trouble
        self.taken.append((body, headers))
        if self.on_send is not None:
            self.on_send()
        return ""
