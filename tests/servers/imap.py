"""An IMAP server whose answers are data: refusals, broken-off answers and silence, in the order given.

Real sockets and a mailbox in memory, with what a reader needs of IMAP4rev1 (RFC 3501) and IDLE (RFC 2177);
no TLS, one folder, any user. Each step of a connection (`Step`) takes its answers from the script one after
the other, over all connections; when they are used up, and for steps without any, it answers properly.

    "NO ...", "BAD ..."   said in place of the proper answer
    "* BYE ..."           said, and the connection ends
    DROP                  the connection ends without an answer
    SILENCE               no answer, for as long as the client cares to wait
    Cut(n)                n bytes of the proper answer, then the connection ends
    Split(n)              n bytes of the proper answer in one segment, the rest in another, later
    Gone(said)            (FETCH) what is asked for is deleted before it is answered; `said` in place of OK

Failures: a command that it does not know is answered with BAD.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

Step = Literal["GREETING", "LOGIN", "EXAMINE", "NOOP", "SEARCH", "SIZE", "FETCH", "IDLE", "IDLING"]
"""SIZE is a FETCH that asks for sizes. IDLE is the answer to the command, IDLING what is said in it."""

DROP = "DROP"
SILENCE = "SILENCE"
SPLIT_SECONDS = 0.05
"""Between two segments; in IDLE the second waits for the client's DONE, for then it surely reads."""
DATE = '"01-Sep-2026 08:00:00 +0000"'


@dataclass(frozen=True)
class Cut:
    """See the module."""

    after: int


@dataclass(frozen=True)
class Split:
    """See the module."""

    at: int


@dataclass(frozen=True)
class Gone:
    """See the module."""

    said: str = "OK done"


Answer = str | Cut | Split | Gone


class ScriptedImap:
    """The server; use it with `async with`.

    `mails` is the mailbox by UID, `seen` counts the steps taken, `fetched` has every UID whose body was asked
    for, as often as it was.
    """

    host = "127.0.0.1"
    user = "support@example.com"
    password = "a password of the tests"

    def __init__(
        self,
        answers: Mapping[Step, Sequence[Answer]] | None = None,
        *,
        uidvalidity: int = 7,
        first_uid: int = 1,
    ) -> None:
        self.uidvalidity = uidvalidity
        self.next_uid = first_uid
        self.mails: dict[int, bytes] = {}
        self.seen: Counter[Step] = Counter()
        self.fetched: list[int] = []
        self._left: dict[Step, list[Answer]] = {}
        for step, sequence in (answers or {}).items():
            self.script(step, *sequence)
        self._sessions: set[_Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self._port

    @property
    def connections(self) -> int:
        """How many connections clients have opened so far."""
        return self.seen["GREETING"]

    @property
    def unsaid(self) -> int:
        """How many answers of the script are left."""
        return sum(map(len, self._left.values()))

    def script(self, step: Step, *answers: Answer) -> None:
        """Give these answers too, after those that are left for this step."""
        self._left.setdefault(step, []).extend(answers)

    def append(self, *raws: bytes) -> None:
        """Put mails into the mailbox and tell whoever is in IDLE."""
        for raw in raws:
            self.mails[self.next_uid] = raw
            self.next_uid += 1
        for session in self._sessions:
            session.tell_size()

    def renumber(self, uidvalidity: int, first_uid: int = 1) -> None:
        """Give the same mails other UIDs under another UIDVALIDITY, as a mailbox that was restored has."""
        self.uidvalidity, self.next_uid = uidvalidity, first_uid
        raws = list(self.mails.values())
        self.mails.clear()
        self.append(*raws)

    def hang_up(self) -> None:
        """End every connection; new ones are taken."""
        for session in self._sessions:
            session.hang_up()

    def next_answer(self, step: Step) -> Answer | None:
        """What the script says to this step; None: the proper answer."""
        self.seen[step] += 1
        left = self._left.get(step)
        return left.pop(0) if left else None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await asyncio.gather(*self._tasks)
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, reader, writer)
        self._sessions.add(session)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await session.serve()
        except (_HangUp, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._sessions.discard(session)
            self._tasks.discard(task)
            writer.close()


class _HangUp(Exception):  # it is no error: the script wants it
    """The connection ends here."""


class _Session:
    """One client's connection."""

    def __init__(
        self, server: ScriptedImap, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._idling = False
        self._told = 0

    def tell_size(self) -> None:
        """In IDLE: how many mails there are now."""
        if self._idling:
            self._writer.write(self._size())

    def hang_up(self) -> None:
        """End the connection at once."""
        self._writer.transport.abort()

    async def serve(self) -> None:
        """Greet, then answer commands until the client leaves."""
        await self._answer("GREETING", "*", b"* OK ready\r\n")
        while True:
            tag, _, command = (await self._line()).partition(" ")
            await self._obey(tag, command)

    async def _obey(self, tag: str, command: str) -> None:
        mails, done = self._server.mails, f"{tag} OK done\r\n".encode()
        match command.split():
            case ["CAPABILITY"]:
                await self._say(b"* CAPABILITY IMAP4rev1 IDLE\r\n" + done)
            case ["LOGIN", *_]:
                await self._answer("LOGIN", tag, done)
            case ["EXAMINE", *_]:
                await self._answer("EXAMINE", tag, self._folder() + done)
            case ["NOOP"]:
                await self._answer("NOOP", tag, self._size() + done)
            case ["UID", "SEARCH", "UID", uids]:
                found = " ".join(map(str, sorted(_named(uids, mails))))
                await self._answer("SEARCH", tag, f"* SEARCH {found}\r\n".encode() + done)
            case ["UID", "FETCH", uids, "(RFC822.SIZE)"]:
                await self._answer("SIZE", tag, self._sizes(uids) + done)
            case ["UID", "FETCH", uids, *_]:
                self._server.fetched += sorted(_named(uids, mails))
                await self._answer("FETCH", tag, self._bodies(uids) + done, uids)
            case ["IDLE"]:
                await self._answer("IDLE", tag, b"+ idling\r\n")
                await self._idle(tag, done)
            case ["LOGOUT"]:
                await self._say(b"* BYE\r\n" + done)
                raise _HangUp
            case _:
                await self._say(f"{tag} BAD unknown\r\n".encode())

    async def _answer(self, step: Step, tag: str, proper: bytes, uids: str = "") -> None:
        match self._server.next_answer(step):
            case None:
                await self._say(proper)
            case Split(at):
                await self._say(proper[:at])
                await asyncio.sleep(SPLIT_SECONDS)
                await self._say(proper[at:])
            case Gone(said):
                for uid in _named(uids, self._server.mails):
                    del self._server.mails[uid]
                await self._say(f"{tag} {said}\r\n".encode())
            case other:
                await self._fail(other, tag, proper)

    async def _fail(self, answer: "str | Cut", tag: str, proper: bytes) -> None:
        if isinstance(answer, Cut):
            await self._say(proper[: answer.after])
        elif answer == SILENCE:
            await self._reader.read()
        elif answer.startswith("*"):
            await self._say(f"{answer}\r\n".encode())
        elif answer != DROP:
            await self._say(f"{tag} {answer}\r\n".encode())
            return
        raise _HangUp

    async def _idle(self, tag: str, done: bytes) -> None:
        still_here = b"* OK Still here\r\n"
        match self._server.next_answer("IDLING"):
            case None:
                self._idling = True
                if self._told != len(self._server.mails):
                    self.tell_size()
                await self._line()
                self._idling = False
            case Split(at):
                await self._say(still_here[:at])
                await self._line()
                await self._say(still_here[at:])
            case Cut() | str() as answer:
                await self._fail(answer, tag, still_here)
        await self._say(done)

    async def _line(self) -> str:
        return (await self._reader.readuntil(b"\r\n")).decode().strip()

    async def _say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def _size(self) -> bytes:
        self._told = len(self._server.mails)
        return f"* {self._told} EXISTS\r\n".encode()

    def _folder(self) -> bytes:
        server = self._server
        told = f"* OK [UIDVALIDITY {server.uidvalidity}] it\r\n* OK [UIDNEXT {server.next_uid}] next\r\n"
        return self._size() + told.encode()

    def _sizes(self, uids: str) -> bytes:
        return b"".join(
            f"* {place} FETCH (UID {uid} RFC822.SIZE {len(raw)})\r\n".encode()
            for place, uid, raw in self._asked(uids)
        )

    def _bodies(self, uids: str) -> bytes:
        return b"".join(
            f"* {place} FETCH (UID {uid} INTERNALDATE {DATE} BODY[] {{{len(raw)}}}\r\n".encode()
            + raw
            + b")\r\n"
            for place, uid, raw in self._asked(uids)
        )

    def _asked(self, uids: str) -> Iterator[tuple[int, int, bytes]]:
        """Place in the mailbox, UID and mail of those that are there."""
        named = _named(uids, self._server.mails)
        for place, uid in enumerate(sorted(self._server.mails), start=1):
            if uid in named:
                yield place, uid, self._server.mails[uid]


def _named(uids: str, mails: Mapping[int, bytes]) -> set[int]:
    """The UIDs here that a sequence set names; `n:*` always names the last one (RFC 3501 §6.4.8)."""
    last, found = max(mails, default=0), set()
    for first, _, second in (part.partition(":") for part in re.split(",", uids)):
        ends = [last if end == "*" else int(end) for end in (first, second or first)]
        found |= {uid for uid in mails if min(ends) <= uid <= max(ends)}
    return found
