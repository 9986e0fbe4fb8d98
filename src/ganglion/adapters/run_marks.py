"""What a process runs right now, in memory that outlives it: who reads it after a crash knows which model it was.

A process writes a mark before each run of a model and takes it away after it. The marks lie in an anonymous file that
its parent made and holds, too. A mark costs a fifth of a microsecond, so that even the shortest run has one. Imports
nothing heavy: the parent is a process that should cost nothing.
"""

import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple, TypeVar

A = TypeVar("A")
R = TypeVar("R")

_HEAD_BYTES, _SLOTS, _SLOT_BYTES = 64, 64, 16
_LABELS, _LABEL_BYTES = 1023, 256
_LABELS_AT = _HEAD_BYTES + _SLOTS * _SLOT_BYTES
_SIZE_BYTES = _LABELS_AT + (_LABELS + 1) * _LABEL_BYTES
_IS_READY, _PORT, _HUNG, _GRPC_PORT = 0, 1, 2, 3
"""Places in the head, in words of four bytes. A slot is a time of eight bytes, a word, and a word of nothing."""
_PATIENCE, _PATIENCE_S = 2.0, 5.0
"""How much longer than the process itself its parent waits before it calls a run stuck."""
_LOADING = 1 << 31
"""Set beside the number of a label while the model is being loaded, which may take as long as it likes."""


class Label(NamedTuple):
    """A model version, and what changes when its file does: the same label is the same bytes."""

    model: str
    version: str
    stamp: str = ""

    @property
    def text(self) -> str:
        """Return the label in one line."""
        return f"{self.model}\t{self.version}\t{self.stamp}"

    @classmethod
    def parse(cls, text: str) -> "Label":
        """Return the label of a line that `text` made."""
        model, version, stamp = [*text.split("\t"), "", ""][:3]
        return cls(model, version, stamp)


class Running(NamedTuple):
    """A run that has not ended: of which version, and since when by the monotonic clock."""

    label: Label
    since_s: float
    number: int


class _Slot(threading.local):
    """The place of a thread. When there are more threads than places, the last ones share one."""

    def __init__(self, taken: "count[int]") -> None:
        place = _HEAD_BYTES + min(next(taken), _SLOTS - 1) * _SLOT_BYTES
        self.moment, self.word = place // 8, place // 4 + 2


class RunMarks:
    """The marks of one process at a time. `descriptor` is inherited by the child that writes them."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, _SIZE_BYTES)
        whole = memoryview(self._map)
        self._words = whole[:_LABELS_AT].cast("I")
        self._moments = whole[:_LABELS_AT].cast("d")
        self._labels: list[str] = []
        self._slot = _Slot(count())

    @classmethod
    def create(cls) -> "RunMarks":
        """Make empty marks. They go with the last process that holds them."""
        descriptor = os.memfd_create("ganglion-marks", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _SIZE_BYTES)
        return cls(descriptor)

    def clear(self) -> None:
        """Forget everything, for the next process."""
        self._map[:_LABELS_AT] = bytes(_LABELS_AT)

    # --- written by the process that runs models ------------------------------------------------------

    def tell_ready(self, port: int, *, grpc_port: int = 0) -> None:
        """Say that clients can come, and to which ports."""
        self._words[_PORT], self._words[_GRPC_PORT], self._words[_IS_READY] = port, grpc_port, 1

    def tell_hung(self, running: Running) -> None:
        """Say that this run is why the process ends."""
        self._words[_HUNG] = running.number

    def around(self, label: Label, run: Callable[[A], R], now: Callable[[], float]) -> Callable[[A], R]:
        """Return `run` with a mark around each call."""
        number, words, moments, slot = self._number(label), self._words, self._moments, self._slot

        def marked(feeds: A) -> R:
            word = slot.word
            # The time goes first: whoever sees the mark sees its own time beside it.
            moments[slot.moment] = now()
            words[word] = number
            try:
                return run(feeds)
            finally:
                words[word] = 0

        return marked

    @contextmanager
    def loading(self, label: Label, now_s: float) -> Iterator[None]:
        """Mark this thread as loading a version."""
        self._moments[self._slot.moment] = now_s
        self._words[self._slot.word] = self._number(label) | _LOADING
        try:
            yield
        finally:
            self._words[self._slot.word] = 0

    # --- read by anybody ------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """Where clients come; 0 until the process listens."""
        return self._words[_PORT] if self._words[_IS_READY] else 0

    @property
    def grpc_port(self) -> int:
        """Where clients of gRPC come; 0 until the process listens, or if they come nowhere."""
        return self._words[_GRPC_PORT] if self._words[_IS_READY] else 0

    def runs(self) -> list[Running]:
        """Return every run under way, the longest first; what is being loaded is none."""
        return [each for each, is_loading in self._under_way() if not is_loading]

    def stuck(self, *, now_s: float, run_s_max: float) -> Running | None:
        """Return a run that its own process should have ended long ago; None without such a run, or a limit."""
        longest = next(iter(self.runs()), None)
        if longest is None or run_s_max <= 0:
            return None
        return longest if now_s - longest.since_s > _PATIENCE * run_s_max + _PATIENCE_S else None

    def suspects(self) -> list[Label]:
        """Return the versions that may have ended the process: the one that hung, or all that ran or were loaded."""
        hung = self._words[_HUNG]
        if hung:
            return [self._label(hung)]
        return list(dict.fromkeys(each.label for each, _ in self._under_way()))

    @property
    def is_hung(self) -> bool:
        """Whether the process ended because a run did not."""
        return bool(self._words[_HUNG])

    def _under_way(self) -> list[tuple[Running, bool]]:
        found = []
        for place in range(_HEAD_BYTES, _LABELS_AT, _SLOT_BYTES):
            word = self._words[place // 4 + 2]
            number = word & ~_LOADING
            if number:
                running = Running(self._label(number), self._moments[place // 8], number)
                found.append((running, bool(word & _LOADING)))
        return sorted(found, key=lambda each: each[0].since_s)

    def _number(self, label: Label) -> int:
        """Return the number of a label, written down at its first use. All that find no room are one."""
        if label.text in self._labels:
            return self._labels.index(label.text) + 1
        if len(self._labels) == _LABELS:
            return _LABELS
        self._labels.append(label.text)
        number, content = len(self._labels), label.text.encode()[:_LABEL_BYTES]
        begin = _LABELS_AT + number * _LABEL_BYTES
        self._map[begin : begin + _LABEL_BYTES] = content.ljust(_LABEL_BYTES, b"\0")
        return number

    def _label(self, number: int) -> Label:
        begin = _LABELS_AT + min(number, _LABELS) * _LABEL_BYTES
        return Label.parse(self._map[begin : begin + _LABEL_BYTES].rstrip(b"\0").decode(errors="replace"))
