"""Collecting: one task a folder of a mailbox, so that of all processes one reads it at a time.

Whoever holds the mailbox's lease reads; the others stand by and take over when it is released or ends. A
mailbox that fails is tried again with growing pauses, for ever; meanwhile readiness names it and says what to
do. All blocking calls of a mailbox are made on one thread of its own. When the lease is lost or the process
stops, the connection is broken off at once; what was fetched but not published is fetched again by the next.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from services.ingest.batches import Care
from services.ingest.lease import MailboxLease
from services.ingest.ports import Mailbox, MailboxFailed, Place
from services.ingest.reading import Reading
from services.ingest.reconcile import Memory
from services.ingest.settings import IngestSettings
from shared import metrics
from shared.domain.errors import Conflict, Unavailable
from shared.runtime.backoff import Backoff
from shared.runtime.service import Platform
from shared.runtime.waiting import first_of

CLOSED_WITHIN = 5.0
"""Seconds for a connection to close; a thread that hangs in it longer is left behind."""

log = structlog.get_logger()


class Collector:
    """Collects one folder of a mailbox, empty for the main one; `connect` makes one that is not open yet."""

    def __init__(
        self,
        platform: Platform,
        settings: IngestSettings,
        mailbox: str,
        connect: Callable[[], Mailbox],
        folder: str = "",
    ) -> None:
        self._platform = platform
        self._settings = settings
        self._place = Place(mailbox, folder)
        self._name = name = self._place.label
        self._connect = connect
        self._lease = MailboxLease(
            platform.stores.leases,
            platform.clock,
            mailbox,
            platform.instance,
            settings.lease_seconds,
            folder,
        )
        self._memory = Memory()
        self._care = Care(settings.batch, settings.fetch_tries)
        self._backoff = Backoff(settings.retry_first, settings.retry_longest)
        self._failures = 0
        self._mailbox: Mailbox | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._trouble: Unavailable | None = Unavailable(f"mailbox {name}", "nobody has looked into it yet")

    async def ping(self) -> None:
        """Return while the mailbox is read, here or elsewhere. Raises `Unavailable` with what to do."""
        if self._trouble is not None:
            raise self._trouble

    async def run(self, stopping: asyncio.Event) -> None:
        """Hold the lease whenever it can be had, and read while it is held, until `stopping`."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"mailbox-{self._name}")
        try:
            while not stopping.is_set():
                if await self._claimed():
                    await self._hold(stopping)
                else:
                    await first_of(
                        stopping.wait(), self._platform.clock.sleep(self._settings.lease_seconds / 10)
                    )
        finally:
            self._thread.shutdown(wait=False)

    async def _claimed(self) -> bool:
        try:
            claimed = await self._lease.claim()
        except Unavailable as fault:
            self._trouble = fault
            log.warning("mailbox.lease_unknown", mailbox=self._name, reason=str(fault))
            return False
        if not claimed:
            self._trouble = None  # another process reads it, and answers for it
        return claimed

    async def _hold(self, stopping: asyncio.Event) -> None:
        log.info("mailbox.lease_taken", mailbox=self._name, owner=self._platform.instance)
        reading = asyncio.create_task(self._read())
        try:
            await first_of(asyncio.wait([reading]), self._lease.keep(), stopping.wait())
        finally:
            await self._break_off(reading)
            await self._lease.release()
        if not reading.cancelled() and (fault := reading.exception()) is not None:
            raise fault

    async def _break_off(self, reading: "asyncio.Task[None]") -> None:
        if self._mailbox is not None:
            self._mailbox.interrupt()
        reading.cancel()
        await asyncio.wait([reading])

    async def _read(self) -> None:
        """Connect and read, again and again; return when another process has taken the mailbox over."""
        while True:
            try:
                await self._read_once()
            except Conflict:
                log.warning("mailbox.taken_over", mailbox=self._name)
                return
            except Unavailable as failure:
                self._failed(failure)
            await self._platform.clock.sleep(self._backoff.ceiling(self._failures))

    async def _read_once(self) -> None:
        self._mailbox = mailbox = self._connect()
        reading = Reading(
            self._platform,
            self._settings,
            self._place,
            mailbox,
            call=self._call,
            care=self._care,
            memory=self._memory,
            progress=self._progressed,
            lasted=self._lasted,
        )
        try:
            await reading.run()
        finally:
            self._mailbox = None
            metrics.MAILBOX_CONNECTED.labels(self._name).set(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._call(mailbox.close), CLOSED_WITHIN)

    async def _call(self, blocking: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, blocking, *args)

    def _lasted(self) -> None:
        """A look alone is no proof: a server that hangs up after each would be called again every second."""
        self._failures = 0

    def _progressed(self) -> None:
        self._trouble = None
        metrics.MAILBOX_CONNECTED.labels(self._name).set(1)
        metrics.MAILBOX_LAST_SUCCESS.labels(self._name).set(self._platform.clock.now().timestamp())

    def _failed(self, failure: Unavailable) -> None:
        self._failures += 1
        self._trouble = failure
        why = failure.why if isinstance(failure, MailboxFailed) else "dependency"
        metrics.MAILBOX_FAILURES.labels(self._name, why).inc()
        log.warning(
            "mailbox.failed", mailbox=self._name, why=why, reason=str(failure), in_a_row=self._failures
        )
