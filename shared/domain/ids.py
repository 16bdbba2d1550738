"""Ids: deterministic wherever a repeat must find what the first run made, sortable where people list them."""

import hashlib
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: sorts as the number does


def digest(data: bytes) -> str:
    """The SHA-256 of `data`, 64 hex digits: how blobs are named."""
    return hashlib.sha256(data).hexdigest()


def derived(prefix: str, *parts: str) -> str:
    """An id that follows from `parts` alone, so that a repeat finds it: `msg_` + 26 hex digits.

    The parts are joined by NUL, which none of them may hold, so ("a", "bc") and ("ab", "c") differ.
    """
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return f"{prefix}_{hashlib.sha256(joined).hexdigest()[:26]}"


def thread_id_for(message_id: str) -> str:
    """The id under which threading knows a Message-ID, given with or without `<>`; case matters."""
    return derived("thr", message_id.strip().removeprefix("<").removesuffix(">").strip())


def sortable(prefix: str, at: datetime, *parts: str) -> str:
    """An id that sorts by `at` (milliseconds) and is made unique by `parts`: `tkt_` + 10 + 16 characters."""
    millis = max(0, int(at.timestamp() * 1000))
    tail = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:10]
    return f"{prefix}_{_base32(millis, 10)}{_base32(int.from_bytes(tail, 'big'), 16)}"


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 32)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
