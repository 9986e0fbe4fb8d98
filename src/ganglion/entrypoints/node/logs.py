"""Where the processes of a node keep what they log, beside standard error."""

import structlog

from ganglion.adapters.kept_logs import LogFile
from ganglion.entrypoints.processes.logs import keep_lines
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.services.places import Places

log = structlog.get_logger()


def keep_logs(settings: NodeSettings, process: str) -> None:
    """Keep what this process logs from now on. A disk that takes nothing is told, and ends nothing."""
    if settings.logs_bytes_max == 0:
        return
    try:
        file = LogFile(Places(settings.data_path).logs, process, bytes_max=settings.logs_bytes_max)
    except OSError as error:
        log.warning("logs.not_kept", reason=str(error))
        return
    keep_lines(file.write)
