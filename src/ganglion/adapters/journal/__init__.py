"""The journal: bounded append-only files through which serving hands its records to the agent.

Appending is one `write` and no `fsync`: a record outlives every process, though not a power cut. One process
writes, one reads, and they share nothing but the directory.
"""

from ganglion.adapters.journal.reader import Chunk, JournalReader
from ganglion.adapters.journal.writer import JournalLimits, JournalWriter

__all__ = ["Chunk", "JournalLimits", "JournalReader", "JournalWriter"]
