"""From the settings of a login with tokens to the source of its tokens; for IMAP and SMTP alike."""

from shared.adapters.oauth import Grant, TokenSource
from shared.runtime.settings import OAuthSettings


def token_source(account: str, variable: str, oauth: OAuthSettings) -> TokenSource | None:
    """The tokens of an account, or None when it logs in with a password.

    `account` names it in logs and metrics (`mailbox support`, `smtp`), `variable` is where its settings stand
    (`OMBUD_SMTP__OAUTH`). Make one for each account and process: it keeps the token.
    """
    if not oauth.token_url:
        return None
    grant = Grant(
        variable=variable,
        token_url=oauth.token_url,
        client_id=oauth.client_id,
        client_secret=oauth.client_secret.get_secret_value(),
        refresh_token=oauth.refresh_token.get_secret_value(),
        refresh_token_file=oauth.refresh_token_file,
        scope=oauth.scope,
    )
    return TokenSource(account, grant)
