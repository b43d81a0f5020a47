"""What went wrong on the way to an answer, in words for a person: libraries tell it to one another in brackets."""

from __future__ import annotations

from OpenSSL.SSL import Error as TlsError
from scrapy.exceptions import DownloadCancelledError, DownloadTimeoutError, IgnoreRequest
from service_identity.exceptions import VerificationError
from twisted.internet.error import ConnectionClosed, ConnectionDone


def in_words(error: BaseException) -> str:
    """Return one line that says what happened."""
    if isinstance(error, DownloadTimeoutError):
        return "no whole answer came in time"
    if isinstance(error, DownloadCancelledError):
        return "the answer is longer than we take"
    cause = error if isinstance(error, IgnoreRequest) else _cause(error)
    if isinstance(cause, TlsError):
        said = [part for line in cause.args[0] for part in line if part] if cause.args else []
        return f"no safe connection: {said[-1] if said else 'TLS failed'}"
    if isinstance(cause, VerificationError):
        return "no safe connection: the certificate is of another host"
    if isinstance(cause, ConnectionClosed | ConnectionDone):
        return "the connection was cut before the answer was whole"
    return str(cause) or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """Return the first cause, through what wraps it: Scrapy by `from`, Twisted by a list of failures."""
    for _ in range(10):
        inner = error.__cause__ or next((one.value for one in getattr(error, "reasons", ()) or ()), None)
        if inner is None:
            break
        error = inner
    return error
