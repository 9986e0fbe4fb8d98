"""How long a question for the desired state waits at the hub."""

from pathlib import Path

import anyio

from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.entrypoints.hub_api.long_polls import Poll
from ganglion.entrypoints.hub_wiring.hub import open_hub
from ganglion.entrypoints.settings.hub import HttpSettings, HubSettings

WAITS = [(30.0, 0.0), (30.0, 15.0)]
"""For how long a node asked, and how long ago."""
WAITS_NO_MORE = [(30.0, 31.0), (90.0, 61.0), (0.0, 0.0)]


def test_the_wait_is_counted_from_when_the_question_came(tmp_path: Path) -> None:
    async def may_wait(wait_s: float, came_before_s: float) -> bool:
        poll = Poll(hub, "token", "node-1", ("", -1))
        try:
            return poll.may_wait(wait_s, asked_s=anyio.current_time() - came_before_s)
        finally:
            poll.leave()

    settings = HubSettings(data_dir=str(tmp_path), port=0, http=HttpSettings(long_poll_s_max=60.0))
    with open_hub(settings, clock=SystemClock(), chance=SystemChance()) as hub:
        assert all(anyio.run(may_wait, *asked) for asked in WAITS)
        assert not any(anyio.run(may_wait, *asked) for asked in WAITS_NO_MORE)
