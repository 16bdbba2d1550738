"""What becomes of handled mails on an IMAP server: they are left, flagged, moved or deleted, as is set.

Nothing here decides what is new. Each deed may be done again without harm, and touches no mail but those
named: mails are taken out by MOVE (RFC 6851) or UID EXPUNGE (RFC 4315), never by an EXPUNGE that would end
what a person has marked as deleted. A server that knows neither is told of in `NotCleared`, and so is a
refusal; what breaks the connection is raised as the library raises it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError

from services.ingest.ports import NotCleared

SEEN = "\\Seen"
LACKING = {
    SEEN: "UNSEEN",
    "\\Flagged": "UNFLAGGED",
    "\\Answered": "UNANSWERED",
    "\\Deleted": "UNDELETED",
    "\\Draft": "UNDRAFT",
}
"""How a search asks for mails that lack a flag (RFC 9051 §6.4.4)."""


class Clearing:
    """The setting `handled` of a mailbox, and how it is done."""

    def __init__(self, handled: str) -> None:
        self._deed, _, self._named = handled.partition(":")

    @property
    def leaves(self) -> bool:
        """Whether nothing is to be done."""
        return self._deed == "leave"

    @property
    def criteria(self) -> list[str]:
        """The search keys of mails to which it has not been done."""
        if self._deed != "flag":
            return []
        return [LACKING[self._flag]] if self._flag in LACKING else ["UNKEYWORD", self._flag]

    @property
    def _flag(self) -> str:
        return self._named or SEEN

    def apply(self, client: Any, folder: str, uidvalidity: int, uids: Sequence[int]) -> None:
        """Do it to these mails of the folder, which is opened to be changed.

        `client` is an IMAPClient that has logged in. Raises `NotCleared`, `ValueError` when the UIDs have
        come to mean other mails, and what the library raises.
        """
        with refusals_told():
            selected = client.select_folder(folder)
            if int(selected[b"UIDVALIDITY"]) != uidvalidity:
                raise ValueError("the folder's UIDVALIDITY has changed")
            self._do(client, list(uids), selected.get(b"PERMANENTFLAGS", ()))

    def _do(self, client: Any, uids: list[int], keeps: Sequence[bytes]) -> None:
        if self._deed == "flag":
            if keeps and not {self._flag.lower().encode(), b"\\*"} & {flag.lower() for flag in keeps}:
                raise NotCleared(f"the server keeps no flag {self._flag}: set handled to another")
            client.add_flags(uids, [self._flag], silent=True)
        elif self._deed == "move":
            self._move(client, uids)
        elif self._deed == "delete":
            _taken_out(client, uids)

    def _move(self, client: Any, uids: list[int]) -> None:
        if not client.folder_exists(self._named):
            client.create_folder(self._named)
        if client.has_capability("MOVE"):
            client.move(uids, self._named)
            return
        _needs_uidplus(client)
        client.copy(uids, self._named)
        _taken_out(client, uids)


@contextmanager
def refusals_told() -> Iterator[None]:
    """What the server refuses is `NotCleared`; all else is raised as it is."""
    try:
        yield
    except IMAPClientReadOnlyError as fault:
        raise NotCleared("the account may read this folder but not change it") from fault
    except IMAPClientAbortError:
        raise
    except IMAPClientError as fault:
        raise NotCleared(f"the server refused: {fault}") from fault


def _taken_out(client: Any, uids: list[int]) -> None:
    _needs_uidplus(client)
    client.add_flags(uids, ["\\Deleted"], silent=True)
    client.uid_expunge(uids)


def _needs_uidplus(client: Any) -> None:
    if not client.has_capability("UIDPLUS"):
        raise NotCleared("the server cannot take out single mails (UIDPLUS): set handled to leave or flag")
