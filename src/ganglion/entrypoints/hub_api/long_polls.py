"""Waiting for a change, by the thousand: what a question holds while it waits, and nothing else.

A route that finds nothing new leaves its `Poll` in the request's state and returns. By then the framework has let go of
all that it made for the request, and the middleware here waits in its place.
"""

import asyncio
from functools import partial

from anyio import to_thread
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganglion.core.errors import GanglionError
from ganglion.entrypoints.hub_api.bodies import message_reply
from ganglion.entrypoints.hub_api.problems import error_response
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.wire import paths
from ganglion.wire.desired import DesiredState

WAITS = "poll"
"""Key of a poll among a request's state."""
_ROUTE = "route"

Revision = tuple[str, int]
"""Incarnation, and revision within it."""


class Poll:
    """One node's question for a state newer than the one it knows. `leave` ends it."""

    __slots__ = ("_known", "_token", "_until_s", "_waiting", "hub")

    def __init__(self, hub: Hub, token: str, node_id: str, known: Revision) -> None:
        """Register, so that no change from here on is missed. On the event loop only. Raises: Overloaded."""
        self.hub, self._token, self._known = hub, token, known
        self._until_s = 0.0
        self._waiting = hub.waiters.enter(node_id)
        hub.fleet.begin_listening(node_id)

    def leave(self) -> None:
        """Give the place up."""
        self.hub.waiters.leave(self._waiting)
        self.hub.fleet.end_listening(self._waiting.node_id)

    async def look(self) -> DesiredState | None:
        """Return the newest state if it is news. Raises: Unauthenticated: the node was revoked in the meantime."""
        return (await self._look())[1]

    async def first_look(self) -> DesiredState | None:
        """Look, and notice a node that has seen the future of this hub. Raises: Unauthenticated."""
        hub, known = self.hub, self._known
        newest, state = await self._look()
        if newest[0] != known[0] or not hub.restoration.is_strange(known[1], newest=newest[1]):
            return state
        # The node has what this hub does not remember: it was restored from an older copy.
        notice = partial(hub.restoration.notice, self._waiting.node_id, incarnation=known[0], revision=known[1])
        await to_thread.run_sync(notice)
        return await self.look()

    def may_wait(self, wait_s: float, *, asked_s: float) -> bool:
        """Say whether there is any time to wait, counted by the loop's clock from when the question came.

        The node counts from then: were it later, a busy hub would answer when nobody listens any more.
        """
        self._until_s = asked_s + min(wait_s, self.hub.settings.http.long_poll_s_max)
        return self._until_s > asyncio.get_running_loop().time() and not self.hub.waiters.closed

    async def wait(self) -> DesiredState | None:
        """Return the first newer state, or None: there is none in time, or the hub stops. Raises: Unauthenticated."""
        while not self.hub.waiters.closed and await self._waiting.wait(self._until_s):
            self._waiting.is_woken = False
            state = await self.look()
            if state is not None:
                return state
        return None

    async def _look(self) -> tuple[Revision, DesiredState | None]:
        return await to_thread.run_sync(_look, self.hub, self._token, self._known, limiter=self.hub.waiters.threads)


class LongPolls:
    """ASGI middleware: it answers the polls that a route left, when there is something to say."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get("path") != paths.DESIRED:
            await self._app(scope, receive, send)
            return
        poll = await _asked(self._app, scope, receive, send)
        if poll is not None:
            try:
                reply = await _answer(poll)
            finally:
                poll.leave()
            await reply(scope, receive, send)


async def _asked(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> Poll | None:
    """Let the application answer; return the poll if it left one, with everything else let go of."""
    given, state = set(scope), scope["state"]

    async def send_unless_it_waits(message: Message) -> None:
        if WAITS not in state:
            await send(message)

    try:
        await app(scope, receive, send_unless_it_waits)
    except BaseException:
        if WAITS in state:
            state.pop(WAITS).leave()
        raise
    for name in scope.keys() - given - {_ROUTE}:
        del scope[name]
    poll: Poll | None = state.pop(WAITS, None)
    return poll


async def _answer(poll: Poll) -> Response:
    try:
        state = await poll.wait()
    except GanglionError as error:
        return error_response(error)
    return message_reply(state) if state else Response(status_code=204)


def _look(hub: Hub, token: str, known: Revision) -> tuple[Revision, DesiredState | None]:
    """Return the newest revision, and the state if it is news: most polls end without, and nothing is signed."""
    # The token is proven at every look, so that a node revoked while it waits gets no answer.
    node_id = hub.enrolment.authenticate(token).node_id
    newest = hub.desired.revision_of(node_id)
    return newest, hub.desired.state_of(node_id) if _is_newer(newest, known) else None


def _is_newer(newest: Revision, known: Revision) -> bool:
    """Compare revisions within an incarnation; another incarnation is always news."""
    return newest[0] != known[0] or newest[1] > known[1]
