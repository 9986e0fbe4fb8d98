"""What every node can do when a signed order asks for it, beside reporting: look at everything anew, and serve anew."""

from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread

from ganglion.core.serving_errors import ServingUnreachable
from ganglion.node.services.limits import EnvelopeWatch, with_envelope
from ganglion.node.services.orders.orders import DONE, Deed
from ganglion.node.services.update.updates import Updates
from ganglion.ports.serving_control import ServingControl, ServingStatus, Status
from ganglion.wire.desired import NodeCommand

_LOOK_S: Final = 0.5
_STATUS_TIMEOUT_S: Final = 5.0


def sync(updates: Updates, envelopes: EnvelopeWatch) -> Deed:
    """Return the deed that looks at the signed metadata now, and tries at once what waits after a failure."""

    async def do(_command: NodeCommand) -> str:
        desired = updates.state.desired
        if desired is not None:
            envelopes.forget()
            held, events = await envelopes.look(updates.state, desired)
            await updates.remember(lambda state: with_envelope(state, held), events)
        updates.hurry()
        return DONE

    return do


def restart_serving(control: ServingControl, end: Callable[[], None], *, within_s: float) -> Deed:
    """Return the deed that has the serving process begin anew, and waits for it; `end` asks it to end."""

    async def do(_command: NodeCommand) -> str:
        before = await _instance(control)
        await anyio.to_thread.run_sync(end)
        with anyio.move_on_after(within_s):
            while True:
                await anyio.sleep(_LOOK_S)
                now = await _instance(control)
                if now not in ("", before):
                    return DONE
        return f"it was ended, and has not answered again within {within_s:.0f} s"

    return do


async def _instance(control: ServingControl) -> str:
    try:
        reply = await control.call(Status(), timeout_s=_STATUS_TIMEOUT_S)
    except ServingUnreachable:
        return ""
    return reply.instance if isinstance(reply, ServingStatus) else ""
