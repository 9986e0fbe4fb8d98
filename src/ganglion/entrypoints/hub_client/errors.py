"""What went wrong between a client and its hub, in our words: foreign exceptions and replies become our errors."""

import ssl
from collections.abc import Iterator

import msgspec
from urllib3 import exceptions

from ganglion.core.errors import Broken, GanglionError, HubUnreachable
from ganglion.core.identity_errors import CaMismatch
from ganglion.wire.problems import PROBLEM_TYPE, Problem, error_of

_WRONG_NAME, _WRONG_IP = 62, 64
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""


def refusal(address: object, error: BaseException) -> GanglionError:
    """Return our error for one that `urllib3` or a socket raised."""
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CaMismatch(f"{address}: {_certificate_reason(cause)}")
    if any(isinstance(cause, exceptions.ReadTimeoutError | TimeoutError) for cause in causes):
        return HubUnreachable(f"{address} did not answer in time")
    return HubUnreachable(f"{address} cannot be reached: {_innermost_reason(causes)}")


def reply_error(address: object, status: int, content_type: str, body: bytes) -> GanglionError:
    """Return the error that a reply stands for: the hub's own, or that this is no hub."""
    if content_type.partition(";")[0].strip() == PROBLEM_TYPE:
        try:
            return error_of(msgspec.json.decode(body, type=Problem))
        except msgspec.DecodeError:
            pass
    return HubUnreachable(f"{address} answered {status} without a problem document; is a hub at this address?")


def misunderstood(address: object, path: str, reason: object) -> Broken:
    """Return the error for an answer that has another shape than ours."""
    return Broken(f"{address}{path}: the answer is not understood ({reason}); is the hub of another release?")


def _certificate_reason(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in {_WRONG_NAME, _WRONG_IP}:
        return "its certificate is for another name; start the hub with this name as --hostname"
    return f"its certificate does not come from the pinned CA ({error.verify_message})"


def _innermost_reason(causes: list[BaseException]) -> str:
    last = causes[-1]
    if isinstance(last, ssl.SSLError):
        return f"no TLS is spoken there ({last.reason or last.strerror})"
    if isinstance(last, OSError) and last.strerror:
        return last.strerror
    return str(last) or type(last).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what caused it, from the outside in."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        reason = getattr(seen, "reason", None) if isinstance(seen, exceptions.MaxRetryError) else None
        nested = next((each for each in seen.args if isinstance(each, BaseException)), None)
        seen = reason or seen.__cause__ or nested
