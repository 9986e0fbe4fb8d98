"""The agent's database: its state and the outbox, in one SQLite file, so that a change and its event are one step."""

from ganglion.adapters.agent_store.store import SqliteAgentStore

__all__ = ["SqliteAgentStore"]
