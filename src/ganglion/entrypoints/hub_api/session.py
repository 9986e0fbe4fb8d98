"""The browser's login: a cookie that only this host gets back, and proof that a form came from our page."""

import hashlib
import hmac

from fastapi import Request
from starlette.responses import Response

from ganglion.core.identity_errors import Forbidden, Unauthenticated

# The prefix makes browsers insist on Secure, on the path / and on this very host (RFC 6265bis).
COOKIE = "__Host-ganglion"
CSRF_HEADER = "x-csrf-token"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OWN_SITE = frozenset({"same-origin", "none"})


def secret_of(request: Request) -> str:
    """Return the session's secret, unproven. Raises: Unauthenticated: there is none."""
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        raise Unauthenticated("this call needs an account's token in the Authorization header")
    return secret


def csrf_token(secret: str) -> str:
    """Return the token that forms of this session carry; it follows from the secret and does not tell it."""
    return hmac.new(secret.encode(), b"ganglion csrf", hashlib.sha256).hexdigest()


def check_token(secret: str, token: str) -> None:
    """Raises: Forbidden: the form was not made for this session."""
    if not hmac.compare_digest(csrf_token(secret).encode(), token.encode()):
        raise Forbidden("the form is not of this session; load the page again and repeat")


def check_intended(request: Request, secret: str) -> None:
    """Raises: Forbidden: a call that changes something came with a cookie but without the session's CSRF token."""
    if request.method not in _SAFE_METHODS:
        check_token(secret, request.headers.get(CSRF_HEADER, ""))


def check_same_site(request: Request) -> None:
    """Raises: Forbidden: the browser says that another site sent this form."""
    if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        raise Forbidden("this form was sent by another site")


def start(response: Response, secret: str, *, lasts_s: int) -> Response:
    """Let the browser keep the session."""
    response.set_cookie(COOKIE, secret, max_age=lasts_s, path="/", secure=True, httponly=True, samesite="strict")
    return response


def end(response: Response) -> Response:
    """Let the browser forget the session."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return response
