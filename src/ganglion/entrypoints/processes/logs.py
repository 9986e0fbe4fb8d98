"""How every program logs: one JSON line per unit of work on standard error, or readable lines on a terminal."""

import logging
import sys
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, WrappedLogger

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_kept: list[Callable[[str], None]] = []
"""Where lines go beside standard error."""
_as_json = structlog.processors.JSONRenderer()
_chosen = {"level": logging.INFO, "own": logging.INFO}
"""What is logged now, and what this process logs by itself. Loggers are kept by modules, so the level is asked here."""


def configure_logs(process: str, *, level: int = logging.INFO) -> None:
    """Set structlog up once per process; `process` stands in every line."""
    _chosen.update(level=level, own=level)
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            _drop_quiet,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _keep,
            *([_harmless] if terminal else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def set_log_level(name: str) -> None:
    """Log this level and above from now on; an empty or unknown name is the process's own level."""
    _chosen["level"] = _LEVELS.get(name, _chosen["own"])


def keep_lines(write: Callable[[str], None] | None) -> None:
    """Give each line, as JSON, to `write` as well, which must not raise; None: to nobody any more."""
    _kept[:] = [write] if write else []


def _keep(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for write in _kept:
        line = _as_json(logger, method, dict(event))
        write(line if isinstance(line, str) else line.decode())
    return event


def _harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Let nothing that a hub, a node or a client has written do anything to the terminal of who looks at a log."""
    return {key: _shown(value, key) if isinstance(value, str) else value for key, value in event.items()}


def _shown(text: str, key: str) -> str:
    lines = "\n\t" if key == "exception" else ""
    return text if text.isprintable() else "".join(c if c.isprintable() or c in lines else "?" for c in text)


def _drop_quiet(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if _LEVELS.get(method, logging.ERROR) < _chosen["level"]:
        raise structlog.DropEvent
    return event
