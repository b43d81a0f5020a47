"""What went wrong on the way to an answer, in words for a person: libraries tell it to one another in brackets."""

from __future__ import annotations

from OpenSSL.SSL import Error as TlsError
from scrapy.exceptions import DownloadCancelledError, DownloadTimeoutError, IgnoreRequest
from service_identity.exceptions import VerificationError
from twisted.internet.error import ConnectionClosed
from twisted.web._newclient import ParseError

LONGEST_REASON = 300  # characters of a reason: a header may have 16,000
NOT_HTTP = (ValueError, TypeError, ParseError, OverflowError)  # of reading what came


def in_words(error: BaseException) -> str:
    """Return one line that says what happened."""
    if isinstance(error, DownloadTimeoutError):
        return "no whole answer came in time"
    if isinstance(error, DownloadCancelledError):
        return "the answer is longer than we take"
    cause = error if isinstance(error, IgnoreRequest) else _cause(error)
    if isinstance(cause, TlsError):
        lines = cause.args[0] if cause.args and isinstance(cause.args[0], list) else []  # else a number and a word
        parts = [part for line in lines for part in line if part] or [*cause.args[-1:]] or ["TLS failed"]
        return f"no safe connection: {parts[-1]}"
    if isinstance(cause, VerificationError):
        return "no safe connection: the certificate is of another host"
    if isinstance(cause, ConnectionClosed):
        return "the connection was cut before the answer was whole"
    said = (str(cause) or type(cause).__name__)[:LONGEST_REASON]
    return f"no answer that can be understood: {said}" if isinstance(cause, NOT_HTTP) else said


def _cause(error: BaseException) -> BaseException:
    """Return the first cause, through what wraps it: Scrapy by `from`, Twisted by a list of failures."""
    for _ in range(10):
        inner = error.__cause__ or next((one.value for one in getattr(error, "reasons", ()) or ()), None)
        if inner is None:
            break
        error = inner
    return error
