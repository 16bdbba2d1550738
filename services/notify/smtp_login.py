"""Logging in to the relay with an access token: SASL XOAUTH2 or OAUTHBEARER (RFC 7628) over AUTH (RFC 4954).

On failure: a relay that refuses the token is `Unavailable` with what it said, and the token is not used any
more; no token to be had is `TokenFault`, which says what to do. What aiosmtplib raises is passed on.
"""

import asyncio
import base64

from aiosmtplib import SMTP

from shared.adapters.oauth import Bearer, TokenSource
from shared.domain.errors import Unavailable
from shared.runtime.settings import SmtpSettings

LOGGED_IN = 235
GO_ON = 334


async def log_in(smtp: SMTP, relay: SmtpSettings, tokens: TokenSource) -> None:
    """Authenticate the open connection; see the module."""
    token = await asyncio.to_thread(tokens.token)
    mechanism = relay.oauth.mechanism
    bearer = Bearer(mechanism, relay.username, token, relay.host, relay.port)
    answer = await smtp.execute_command(b"AUTH", mechanism.encode(), base64.b64encode(bearer(b"")))
    if answer.code == GO_ON:  # why the token is refused, which has to be answered before the refusal comes
        answer = await smtp.execute_command(base64.b64encode(bearer(_decoded(answer.message))))
    if answer.code != LOGGED_IN:
        tokens.discard(token)
        said = " ".join(part for part in (answer.message, bearer.said) if part)
        reason = f"the relay refuses the token of {relay.username}: {answer.code} {said}"
        raise Unavailable("smtp", reason.replace(token, "…"))


def _decoded(challenge: str) -> bytes:
    try:
        return base64.b64decode(challenge, validate=True)
    except ValueError:
        return challenge.encode("utf-8", "replace")
