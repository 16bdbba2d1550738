"""Cursors: where the next page begins, signed, so that nobody can ask the store what we did not.

A cursor is bound to its question (the route, the filters, the order): used with another one it is refused.
The size of the page may change on the way. The signature is kept to 128 bits of HMAC-SHA-256 (RFC 2104 §5).
"""

import base64
import binascii
import hashlib
import hmac

from services.api.problems import ProblemRaised

_SIGNATURE = 16  # bytes


class Cursors:
    """Makes and reads cursors with a key made from the process's secret, for this purpose alone."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"ombud api cursor v1", hashlib.sha256)

    def sign(self, question: str, after: str) -> str:
        """The cursor for `after`, what the documents port gave with a page."""
        body = after.encode()
        return base64.urlsafe_b64encode(self._signature(question, body) + body).decode().rstrip("=")

    def read(self, question: str, cursor: str) -> str:
        """What was signed. Raises the problem `bad_cursor`."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(question, body)):
            raise ProblemRaised("bad_cursor", "this cursor is not one that this list has given")
        return body.decode()

    def _signature(self, question: str, body: bytes) -> bytes:
        return hmac.digest(self._key, question.encode() + b"\0" + body, hashlib.sha256)[:_SIGNATURE]
