"""Limits of questions, named in the error by the setting that holds them."""

from ganglion.core.errors import InvalidRequest


def bounded(limit: int, rows_max: int) -> int:
    """Return `limit` if it may be asked for. Raises: InvalidRequest."""
    if limit > rows_max:
        raise InvalidRequest(f"limit={limit}: at most {rows_max} rows are given at once (hub.http.rows_max)")
    return limit
