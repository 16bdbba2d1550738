"""Access tokens for mail servers: asked for, kept, and renewed in time (OAuth 2.0, RFC 6749).

Both grants of servers without a person in front of them: a refresh token (§6), or the client's own
credentials (§4.4). The secrets travel in the body (§2.3.1), which every known endpoint takes.

- A token is renewed when half its life is over. So a refusal is logged (`oauth.refused`) and counted while
  the old token still works for as long again: an alert before the outage.
- A refresh token that the endpoint replaces is used from then on. With a file it is kept there, and read from
  there at each renewal, so that a person may replace it while we run.
- Redirects are not followed and nothing but HTTP is spoken. No secret stands in any text of ours.

All calls block; any thread may make them, and one at a time asks the endpoint. On failure: `TokenFault`,
which says what to do.
"""

import contextlib
import json
import os
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler

import structlog

from shared import metrics
from shared.domain.errors import Unavailable

PATIENCE = 10.0
"""Seconds for each step of talking to the endpoint."""
TRIED_AGAIN_AFTER = 60.0
"""Seconds between two tries to renew a token that still works."""
ASSUMED_SECONDS = 600.0
"""The life of a token whose endpoint does not tell it (RFC 6749 §5.1)."""
LONGEST_ANSWER = 256 * 1024
LONGEST_REASON = 300

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Grant:
    """What entitles us to tokens. With neither refresh token nor file, the client's own credentials do.

    `variable` is the start of the names of the settings, for those who have to mend them.
    """

    variable: str
    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    refresh_token_file: Path | None = None
    scope: str = ""


class TokenFault(Unavailable):
    """There is no token to be had; `reason` says what to do. `code` of RFC 6749 §5.2, or `connection`."""

    def __init__(self, account: str, error: str, reason: str) -> None:
        super().__init__(f"the token endpoint of {account}", reason)
        self.error = error
        self.reason = reason


class TokenSource:
    """The tokens of one account; `account` names it in logs and metrics, as in `mailbox support`."""

    def __init__(self, account: str, grant: Grant, patience: float = PATIENCE) -> None:
        self._account = account
        self._grant = grant
        self._patience = patience
        self._lock = threading.Lock()
        self._refresh_token = grant.refresh_token
        self._token = ""
        self._ends = self._renew_at = 0.0

    def token(self) -> str:
        """A token that works for a while yet. Raises `TokenFault`."""
        with self._lock:
            if not self._token or time.monotonic() >= self._renew_at:
                self._renew()
            return self._token

    def keep_fresh(self) -> None:
        """Renew the token if it is time; never raises, for the connection may live without."""
        with contextlib.suppress(TokenFault):
            self.token()

    def discard(self, token: str) -> None:
        """The server refused this token: the next one asked for is a new one."""
        with self._lock:
            if token == self._token:
                self._token = ""

    def _renew(self) -> None:
        """A new token, or the old one for as long as it works. Raises `TokenFault`."""
        began = time.monotonic()
        try:
            answer = self._asked()
        except TokenFault as fault:
            left = self._ends - time.monotonic() if self._token else 0.0
            metrics.OAUTH_FAILURES.labels(self._account, fault.error).inc()
            log.warning(
                "oauth.refused", account=self._account, reason=fault.reason, token_seconds_left=int(left)
            )
            if left <= 0:
                self._token = ""
                raise
            self._renew_at = time.monotonic() + TRIED_AGAIN_AFTER
            return
        lifetime = _seconds(answer.get("expires_in"))
        self._token = answer["access_token"]
        self._ends, self._renew_at = began + lifetime, began + lifetime / 2
        metrics.OAUTH_TOKEN_EXPIRES.labels(self._account).set(time.time() + lifetime)
        self._keep(answer.get("refresh_token"))

    def _asked(self) -> dict[str, Any]:
        status, answer = self._posted(self._form())
        if status == 200 and isinstance(answer.get("access_token"), str) and answer["access_token"]:
            return answer
        error = answer.get("error")
        if not isinstance(error, str) or status >= 500:
            raise self._fault("connection", f"{self._grant.token_url} answered {status} without a token")
        says = str(answer.get("error_description", ""))
        raise self._fault(error, f"{self._grant.token_url} says {error}: {self._advice(error)} ({says})")

    def _posted(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        opener = OpenerDirector()
        for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
            opener.add_handler(handler)
        opener.addheaders = [("Accept", "application/json"), ("User-Agent", "ombud")]
        try:
            with opener.open(self._grant.token_url, urlencode(form).encode(), self._patience) as response:
                status, body = response.status, response.read(LONGEST_ANSWER)
        except (OSError, HTTPException, ValueError) as fault:
            raise self._fault("connection", f"{self._grant.token_url} cannot be asked: {fault}") from fault
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        return status, answer if isinstance(answer, dict) else {}

    def _form(self) -> dict[str, str]:
        grant = self._grant
        form = {"client_id": grant.client_id, "client_secret": grant.client_secret, "scope": grant.scope}
        if self._refreshes:
            form |= {"grant_type": "refresh_token", "refresh_token": self._current_refresh_token()}
        else:
            form |= {"grant_type": "client_credentials"}
        return {name: value for name, value in form.items() if value}

    @property
    def _refreshes(self) -> bool:
        return bool(self._grant.refresh_token or self._grant.refresh_token_file)

    def _current_refresh_token(self) -> str:
        file = self._grant.refresh_token_file
        if file is None:
            return self._refresh_token
        try:
            kept = file.read_text("utf-8").strip()
        except FileNotFoundError:
            kept = ""
        except (OSError, ValueError) as fault:
            raise self._fault("file", f"{self._grant.variable}__REFRESH_TOKEN_FILE: {fault}") from fault
        if not kept and not self._refresh_token:
            raise self._fault(
                "file",
                f"{file} holds no refresh token: put one there, or set {self._grant.variable}__REFRESH_TOKEN",
            )
        return kept or self._refresh_token

    def _keep(self, replaced: object) -> None:
        """Keep the refresh token that came in place of the one used (RFC 6749 §6)."""
        if not isinstance(replaced, str) or not replaced or replaced == self._refresh_token:
            return
        self._refresh_token = replaced
        file = self._grant.refresh_token_file
        if file is None:
            log.info("oauth.refresh_token_replaced", account=self._account, kept="in memory")
            return
        try:
            _write(file, replaced)
        except OSError as fault:
            metrics.OAUTH_FAILURES.labels(self._account, "file").inc()
            log.warning("oauth.refresh_token_not_kept", account=self._account, reason=str(fault))

    def _advice(self, error: str) -> str:
        grant = self._grant
        if error == "invalid_grant" and self._refreshes:
            place = grant.refresh_token_file or f"{grant.variable}__REFRESH_TOKEN"
            return (
                "the refresh token has expired, or was revoked or replaced; let the owner of the account "
                f"consent anew and put the new one into {place}"
            )
        if error == "unauthorized_client":
            return "the client may not use this grant: allow it where the client is registered"
        setting = {"invalid_client": "CLIENT_ID and CLIENT_SECRET", "invalid_scope": "SCOPE"}.get(error, "*")
        return f"mend {grant.variable}__{setting}"

    def _fault(self, error: str, reason: str) -> TokenFault:
        for secret in (self._grant.client_secret, self._grant.refresh_token, self._refresh_token):
            if secret:
                reason = reason.replace(secret, "…")
        return TokenFault(self._account, error, reason[:LONGEST_REASON])


class Bearer:
    """One login with a token, as the SASL mechanism XOAUTH2 or OAUTHBEARER (RFC 7628).

    Called with each challenge of the server, it returns our response. `said` is what the server had against
    the token: it tells that in a challenge, before it refuses.
    """

    def __init__(self, mechanism: str, user: str, token: str, host: str, port: int) -> None:
        self.said = ""
        self._begun = False
        self._ends = b"\1" if mechanism == "OAUTHBEARER" else b""
        if mechanism == "OAUTHBEARER":
            name = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 §4
            self._first = f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {token}\1\1"
        else:
            self._first = f"user={user}\1auth=Bearer {token}\1\1"

    def __call__(self, challenge: bytes) -> bytes:
        """The response to the server's challenge; the first challenge is empty."""
        if not self._begun:
            self._begun = True
            return self._first.encode()
        self.said = challenge.decode("utf-8", "replace")[:LONGEST_REASON]
        return self._ends


def _seconds(told: object) -> float:
    try:
        seconds = float(told) if isinstance(told, (int, float, str)) else 0.0
    except ValueError:
        seconds = 0.0
    return seconds if 0 < seconds < float("inf") else ASSUMED_SECONDS


def _write(file: Path, text: str) -> None:
    """Replace the file's text, readable for us alone, wholly or not at all."""
    part = file.with_name(f"{file.name}~{os.getpid()}")
    opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as written:
        written.write(f"{text}\n")
        written.flush()
        os.fsync(written.fileno())
    part.replace(file)
