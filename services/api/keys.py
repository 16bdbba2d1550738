"""Keys of the API: `ombud_<id>_<secret>`, shown once; of the secret only its SHA-256 is kept.

The secret is 192 random bits, so a fast digest is enough: there is nothing to guess. A key that was verified
is remembered for a few seconds, so that a busy client costs no read a call; a revoked one works that long.
An unknown key and a wrong secret get the same answer.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from enum import StrEnum

from shared.domain.errors import Invalid, NotFound
from shared.ports.clock import Clock
from shared.ports.documents import Order
from shared.stores.collections import ApiKey
from shared.stores.stores import Stores

_KEY = re.compile(r"ombud_([0-9a-f]{12})_([0-9a-f]{48})")
_NOBODYS_DIGEST = "0" * 64
_REMEMBERED = 1000
_PAGE = 200
LONGEST_NAME = 80


class Scope(StrEnum):
    """What a key may do."""

    TICKETS_READ = "tickets:read"
    TICKETS_WRITE = "tickets:write"
    MAIL_READ = "mail:read"
    MAIL_WRITE = "mail:write"
    ADMIN = "admin"
    EVERYTHING = "*"


def may(key: ApiKey, scope: Scope) -> bool:
    """Whether the key has the scope."""
    return scope.value in key.scopes or Scope.EVERYTHING.value in key.scopes


async def create_key(stores: Stores, clock: Clock, name: str, scopes: Sequence[str]) -> str:
    """Make a key and return it; it cannot be shown again. Raises `Invalid`."""
    unknown = sorted(set(scopes) - {scope.value for scope in Scope})
    if unknown or not scopes:
        raise Invalid(
            f"no such scope: {', '.join(unknown) or 'none given'}; there are {', '.join(Scope)}",
            {"scopes": "unknown"},
        )
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(
            f"a name has 1 to {LONGEST_NAME} printable characters", {"name": "empty, long or unprintable"}
        )
    key_id, secret = secrets.token_hex(6), secrets.token_hex(24)
    await stores.api_keys.collection.insert(
        ApiKey(
            id=key_id,
            version=1,
            name=name,
            secret_digest=_digest(secret),
            scopes=sorted(set(scopes)),
            created_at=clock.now(),
        )
    )
    return f"ombud_{key_id}_{secret}"


async def list_keys(stores: Stores) -> list[ApiKey]:
    """All keys, oldest first, the revoked ones among them."""
    keys: list[ApiKey] = []
    after: str | None = None
    while True:
        page = await stores.api_keys.find({}, Order("created_at"), _PAGE, after)
        keys += page.items
        after = page.after
        if after is None:
            return keys


async def revoke_key(stores: Stores, clock: Clock, key_id: str) -> ApiKey:
    """Make the key useless within seconds; once revoked it stays so. Raises `NotFound`."""

    def decide(key: ApiKey) -> None:
        if key.revoked_at is None:
            key.revoked_at = clock.now()
            key.touch()

    return await stores.api_keys.change(key_id, decide)


class Keys:
    """Verifies keys; one a process."""

    def __init__(self, stores: Stores, clock: Clock, remember: float) -> None:
        self._stores = stores
        self._clock = clock
        self._remember = remember
        # By the digest of the whole key, so that a look at the memory of the process shows no secret. Only
        # verified keys get in: strangers cannot fill it.
        self._verified: dict[str, tuple[ApiKey, float]] = {}

    async def verify(self, presented: str) -> ApiKey | None:
        """The key, or None when it is unknown, wrong or revoked. Raises `Unavailable`."""
        form = _KEY.fullmatch(presented)
        if form is None:
            return None
        name, now = _digest(presented), self._clock.monotonic()
        known = self._verified.get(name)
        if known is not None and now < known[1]:
            return known[0]
        key = await self._look_up(form.group(1), form.group(2))
        self._verified.pop(name, None)
        if key is not None:
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[name] = (key, now + self._remember)
        return key

    async def _look_up(self, key_id: str, secret: str) -> ApiKey | None:
        try:
            key = await self._stores.api_keys.get(key_id)
        except NotFound:
            # The same work as for a known one.
            hmac.compare_digest(_digest(secret), _NOBODYS_DIGEST)
            return None
        if not hmac.compare_digest(_digest(secret), key.secret_digest) or key.revoked_at is not None:
            return None
        return key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
