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

from services.ingest.ports import Fetched, MailboxFailed, Waiting, Why
from services.ingest.settings import IngestSettings
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

    `first_idle`: seconds of the first IDLE. `uids_a_line`: how many UIDs the server may answer with at a
    time; `uids_a_command`: about how many it is asked.
    """

    def __init__(
        self,
        name: str,
        mailbox: MailboxSettings,
        settings: IngestSettings,
        *,
        first_idle: float = FIRST_IDLE,
        uids_a_line: int = UIDS_A_LINE,
        uids_a_command: int = UIDS_A_COMMAND,
    ) -> None:
        self._name = name
        self._mailbox = mailbox
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
            self._client.login(self._mailbox.username, self._mailbox.password.get_secret_value())
        with self._translated("folder"):
            selected = self._client.select_folder(self._mailbox.folder, readonly=True)
            self._folder = _Folder(
                int(selected[b"UIDVALIDITY"]),
                int(selected.get(b"UIDNEXT", 0)),
                int(selected[b"EXISTS"]),
            )
        return self._folder.uidvalidity

    def new_uids(self, after: int, limit: int) -> list[Waiting]:
        """See the port."""
        with self._translated("protocol"):
            self._client.noop()  # without it a search sees the mailbox as it was after the last command
            uids: list[int] = []
            for window in self._windows(after):
                uids += self._search(window, after)
                if len(uids) >= limit:
                    break
            if uids:
                self._idle_seconds = self._first_idle
            return self._sized(sorted(uids)[:limit])

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        """See the port."""
        with self._translated("protocol"):
            answers = self._client.fetch(list(uids), ["BODY.PEEK[]", "INTERNALDATE"])
            return [
                Fetched(uid, answers[uid][b"BODY[]"], answers[uid].get(b"INTERNALDATE"))
                for uid in uids
                if answers.get(uid, {}).get(b"BODY[]") is not None
            ]

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
            port=self._mailbox.port or (993 if tls == "implicit" else 143),
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

    def _windows(self, after: int) -> Iterator[str]:
        """UID ranges whose answers fit into a line each, from the lowest UID to the last mail."""
        start = after + 1
        if self._folder.exists > self._uids_a_line:
            while start + self._uids_a_line < self._folder.uidnext:
                yield f"{start}:{start + self._uids_a_line - 1}"
                start += self._uids_a_line
        yield f"{start}:*"

    def _search(self, window: str, after: int) -> list[int]:
        return [uid for uid in self._client.search(["UID", window]) if uid > after]

    def _sized(self, uids: list[int]) -> list[Waiting]:
        sizes: dict[int, int] = {}
        for first in range(0, len(uids), self._uids_a_command):
            answers = self._client.fetch(uids[first : first + self._uids_a_command], ["RFC822.SIZE"])
            sizes |= {uid: int(answer.get(b"RFC822.SIZE") or 0) for uid, answer in answers.items()}
        return [Waiting(uid, sizes.get(uid, 0)) for uid in uids]

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
        except LoginError as fault:
            if isinstance(fault.__context__, IMAPClientAbortError):
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
        variable = f"OMBUD_MAILBOXES__{self._name.upper()}"
        return (
            f"{self._where()} refused the login ({fault}): "
            f"mend {variable}__USERNAME or {variable}__PASSWORD, or the account"
        )

    def _where(self) -> str:
        return f"{self._mailbox.host}:{self._mailbox.port or self._mailbox.tls}"
