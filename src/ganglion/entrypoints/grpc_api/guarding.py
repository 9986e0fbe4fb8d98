"""Calls from other machines, judged before they reach a method."""

from functools import partial

from ganglion.entrypoints.client_access.guard import Guard
from ganglion.entrypoints.grpc_api.calls import Call, Unary
from ganglion.trust.client_tokens import Verb

_FOR_ALL = frozenset({"ServerLive", "ServerReady"})
_LOADING = frozenset({"RepositoryModelLoad", "RepositoryModelUnload"})


def guarded(name: str, answer: Unary, guard: Guard) -> Unary:
    """Return a method that answers everybody on this machine, and others if the guard lets them pass.

    Which model a message is about is not looked at: a client whose token is for some models alone may only infer.
    """
    return answer if name in _FOR_ALL else partial(_answer, guard, Verb.LOAD if name in _LOADING else Verb.READ, answer)


def authorization_of(call: Call) -> bytes:
    """Return what the client says it is."""
    return call.metadata.get("authorization", "").encode("latin-1", "replace")


def _answer(guard: Guard, verb: Verb, answer: Unary, message: bytes, call: Call) -> None:
    if not call.is_local:
        guard.check(authorization_of(call), verb, "", certificate=call.certificate)
    answer(message, call)
