"""Logs that a node keeps, so that somebody far away can read them later: bounded files of JSON lines."""

from ganglion.adapters.kept_logs.reader import LogQuery, LogReader
from ganglion.adapters.kept_logs.writer import LogFile

__all__ = ["LogFile", "LogQuery", "LogReader"]
