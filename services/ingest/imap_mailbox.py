"""A mailbox on an IMAP server, by IMAPClient, which blocks: one thread makes all calls but `interrupt`.

What is known of servers and of the library, and kept to here:
- `fetch` takes explicit UIDs alone, and `UID n:*` always finds the last mail, however low its UID.
- Never ENVELOPE, never RFC822: `BODY.PEEK[]` is what every server gives (imapclient#465), and sets no flag.
- A line that imaplib reads may have a megabyte, so long lists are asked for in windows (imapclient#255).
- `idle_check` reads a buffered stream without blocking: a line split over two packets, or an end of the
  connection, is taken for silence (imapclient#351). So IDLE is waited for on the socket alone, and
  `idle_done`, which blocks and raises, reads what came.
- A notice that arrives with the answer to IDLE lies in imaplib's buffer, where no socket tells of it. So the
  first IDLE after anything happened is short, and each quiet one may be twice as long as the one before.
- Some servers fall silent without closing (imapclient#349): every wait ends in time to ask again, and every
  socket has a timeout. After any error the connection is closed and never used again.

Errors become `MailboxFailed` in `_translated`, the one place.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from services.ingest.imap_clearing import Clearing, refusals_told
from services.ingest.ports import Fetched, MailboxFailed, NotCleared, Place, Waiting, Why
from services.ingest.settings import IngestSettings
from shared.adapters.oauth import Bearer, TokenFault, TokenSource
from shared.domain.stand_in import head_of
from shared.runtime.settings import MailboxSettings

FIRST_IDLE = 1.0  # seconds
UIDS_A_LINE = 80_000
"""UIDs have up to ten digits: so many fit into one line of imaplib's."""
UIDS_A_COMMAND = 500


@dataclass(frozen=True, slots=True)
class _Folder:
    """The folder as it was selected."""

    uidvalidity: int
    uidnext: int
    exists: int


class ImapMailbox:
    """See the module; the contract is in services/ingest/ports.py.

    `folder`: None for the main one. `tokens`: where to log in with tokens, in place of the password.
    `first_idle`: seconds of the first IDLE. `uids_a_line`: how many UIDs the server may answer with at a
    time; `uids_a_command`: about how many it is asked.
    """

    def __init__(
        self,
        name: str,
        mailbox: MailboxSettings,
        settings: IngestSettings,
        *,
        folder: str | None = None,
        tokens: TokenSource | None = None,
        first_idle: float = FIRST_IDLE,
        uids_a_line: int = UIDS_A_LINE,
        uids_a_command: int = UIDS_A_COMMAND,
    ) -> None:
        self._selected = folder or mailbox.folder
        self._name = Place(name, "" if self._selected == mailbox.folder else self._selected).label
        self._variable = f"OMBUD_MAILBOXES__{name.upper()}"
        self._mailbox = mailbox
        self._tokens = tokens
        self._clearing = Clearing(mailbox.handled)
        self._settings = settings
        self._client: Any = None
        self._folder = _Folder(0, 0, 0)
        self._first_idle = self._idle_seconds = first_idle
        self._uids_a_line = uids_a_line
        self._uids_a_command = uids_a_command
        self._interrupted = threading.Event()
        self._broken = False

    def open(self) -> int:
        """Connect, log in, look at the folder (read-only); its UIDVALIDITY."""
        with self._translated("connection"):
            self._client = self._connected()
            if self._interrupted.is_set():
                raise OSError("interrupted")
        with self._translated("login"):
            if self._tokens is None:
                self._client.login(self._mailbox.username, self._mailbox.password.get_secret_value())
            else:
                self._log_in_with(self._tokens)
        with self._translated("folder"):
            self._examine()
        return self._folder.uidvalidity

    def new_uids(self, after: int, limit: int) -> list[Waiting]:
        """See the port."""
        with self._translated("protocol"):
            if self._tokens is not None:
                self._tokens.keep_fresh()
            self._client.noop()  # without it a search sees the mailbox as it was after the last command
            uids: list[int] = []
            for window in self._windows(after + 1):
                uids += [uid for uid in self._client.search(["UID", window]) if uid > after]
                if len(uids) >= limit:
                    break
            if uids:
                self._idle_seconds = self._first_idle
            uids = sorted(uids)[:limit]
            sizes = self._sizes(uids)
            return [Waiting(uid, sizes.get(uid, 0)) for uid in uids]

    def uids(self, first: int, last: int) -> list[int]:
        """See the port."""
        with self._translated("protocol"):
            return self._listed(first, last, [])

    def sizes(self, uids: Sequence[int]) -> list[Waiting]:
        """See the port."""
        with self._translated("protocol"):
            sizes = self._sizes(uids)
            return [Waiting(uid, sizes[uid]) for uid in uids if uid in sizes]

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        """See the port."""
        with self._translated("protocol"):
            answers = self._client.fetch(list(uids), ["BODY.PEEK[]", "INTERNALDATE"])
            return [
                Fetched(uid, answers[uid][b"BODY[]"], answers[uid].get(b"INTERNALDATE"))
                for uid in uids
                if answers.get(uid, {}).get(b"BODY[]") is not None
            ]

    def head(self, uid: int, most: int) -> Fetched | None:
        """See the port. It asks for the mail's beginning, which more servers give than its headers alone."""
        with self._translated("protocol"):
            answer = self._client.fetch([uid], [f"BODY.PEEK[]<0.{most}>", "INTERNALDATE"]).get(uid, {})
            begins = answer.get(b"BODY[]<0>")
            return None if begins is None else Fetched(uid, head_of(begins), answer.get(b"INTERNALDATE"))

    def piece(self, uid: int, start: int, most: int) -> bytes:
        """See the port."""
        with self._translated("protocol"):
            answer = self._client.fetch([uid], [f"BODY.PEEK[]<{start}.{most}>"]).get(uid, {})
            return bytes(answer.get(f"BODY[]<{start}>".encode()) or b"")

    def to_clear(self, first: int, last: int) -> list[int]:
        """See the port."""
        if self._clearing.leaves:
            return []
        with self._translated("protocol"), refusals_told():
            return self._listed(first, last, self._clearing.criteria)

    def clear(self, uids: Sequence[int]) -> None:
        """See the port. The folder is opened for changes just for this, and read-only again afterwards."""
        with self._translated("protocol"):
            try:
                self._clearing.apply(self._client, self._selected, self._folder.uidvalidity, uids)
            finally:
                self._examine()

    def exists(self, uid: int) -> bool:
        """See the port."""
        with self._translated("protocol"):
            return uid in self._client.search(["UID", str(uid)])

    def wait(self, seconds: float) -> None:
        """In IDLE where the server knows it, else for the time alone."""
        with self._translated("connection"):
            if not self._client.has_capability("IDLE"):
                self._interrupted.wait(seconds)
                return
            self._idle(min(seconds, self._idle_seconds))
            self._idle_seconds = min(seconds, self._idle_seconds * 2)

    def interrupt(self) -> None:
        """Shut the connection, so that no call stays in it."""
        self._interrupted.set()
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError):
                # Not the TLS socket's own shutdown: that takes the TLS layer from under the reading thread.
                socket.socket.shutdown(client.socket(), socket.SHUT_RDWR)

    def close(self) -> None:
        """Log out; a connection that failed, or may hang, is only closed."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(IMAPClientError, OSError, ValueError):
            if not self._broken and not self._interrupted.is_set():
                client.logout()
                return
        with contextlib.suppress(OSError):
            client.shutdown()

    def _connected(self) -> Any:
        tls = self._mailbox.tls
        client = IMAPClient(
            self._mailbox.host,
            port=self._port(),
            ssl=tls == "implicit",
            timeout=SocketTimeout(self._settings.connect_seconds, self._settings.answer_seconds),
        )
        client.normalise_times = False  # instants with their timezone
        if tls == "starttls":
            try:
                client.starttls()
            except BaseException:
                client.shutdown()
                raise
        return client

    def _log_in_with(self, tokens: TokenSource) -> None:
        token = tokens.token()
        mechanism, port = self._mailbox.oauth.mechanism, self._port()
        bearer = Bearer(mechanism, self._mailbox.username, token, self._mailbox.host, port)
        try:
            self._client.sasl_login(mechanism, bearer)
        except LoginError as fault:
            if _hung_up(fault):
                raise
            tokens.discard(token)
            raise MailboxFailed(self._name, "token", self._token_refused(f"{fault} {bearer.said}")) from fault

    def _examine(self) -> int:
        """Open the folder read-only; its UIDVALIDITY."""
        selected = self._client.select_folder(self._selected, readonly=True)
        self._folder = _Folder(
            int(selected[b"UIDVALIDITY"]), int(selected.get(b"UIDNEXT", 0)), int(selected[b"EXISTS"])
        )
        return self._folder.uidvalidity

    def _windows(self, first: int, last: int | None = None) -> Iterator[str]:
        """UID ranges whose answers fit into a line each, from `first` to `last` or to the last mail."""
        end = self._folder.uidnext if last is None else min(last + 1, self._folder.uidnext)
        if self._folder.exists > self._uids_a_line:
            while first + self._uids_a_line < end:
                yield f"{first}:{first + self._uids_a_line - 1}"
                first += self._uids_a_line
        yield f"{first}:{'*' if last is None else last}"

    def _listed(self, first: int, last: int, criteria: list[str]) -> list[int]:
        found: list[int] = []
        for window in self._windows(first, last):
            found += self._client.search(["UID", window, *criteria])
        return sorted(uid for uid in found if first <= uid <= last)

    def _sizes(self, uids: Sequence[int]) -> dict[int, int]:
        sizes: dict[int, int] = {}
        for first in range(0, len(uids), self._uids_a_command):
            answers = self._client.fetch(list(uids[first : first + self._uids_a_command]), ["RFC822.SIZE"])
            sizes |= {uid: int(answer.get(b"RFC822.SIZE") or 0) for uid, answer in answers.items()}
        return sizes

    def _idle(self, seconds: float) -> None:
        if self._interrupted.is_set():
            return
        self._client.idle()
        poller = select.poll()
        poller.register(self._client.socket(), select.POLLIN)
        told = bool(poller.poll(seconds * 1000))
        self._client.idle_done()
        if told:
            self._idle_seconds = self._first_idle / 2

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        broken, self._broken = self._broken, True
        try:
            yield
            self._broken = broken
        except NotCleared:
            self._broken = broken
            raise
        except TokenFault as fault:
            raise MailboxFailed(self._name, "token", fault.reason) from fault
        except LoginError as fault:
            if _hung_up(fault):
                raise MailboxFailed(self._name, "connection", f"it hung up at login: {fault}") from fault
            raise MailboxFailed(self._name, "login", self._login_refused(fault)) from fault
        except ssl.SSLError as fault:
            raise MailboxFailed(self._name, "connection", f"no TLS with {self._where()}: {fault}") from fault
        except (IMAPClientAbortError, OSError) as fault:
            raise MailboxFailed(self._name, "connection", f"{self._where()}: {fault}") from fault
        except (IMAPClientError, ValueError, KeyError) as fault:
            why: Why = "folder" if doing == "folder" else "protocol"
            raise MailboxFailed(self._name, why, f"the server refused ({doing}): {fault}") from fault

    def _login_refused(self, fault: LoginError) -> str:
        variable = self._variable
        return (
            f"{self._where()} refused the login ({fault}): "
            f"mend {variable}__USERNAME or {variable}__PASSWORD, or the account"
        )

    def _token_refused(self, said: str) -> str:
        return (
            f"{self._where()} refused the token of {self._variable}__OAUTH ({said.strip()}): the account "
            f"or the client may not use IMAP, or {self._variable}__USERNAME or __OAUTH__SCOPE is wrong"
        )

    def _port(self) -> int:
        return self._mailbox.port or (993 if self._mailbox.tls == "implicit" else 143)

    def _where(self) -> str:
        return f"{self._mailbox.host}:{self._mailbox.port or self._mailbox.tls}"


def _hung_up(fault: LoginError) -> bool:
    return isinstance(fault.__context__, IMAPClientAbortError)
