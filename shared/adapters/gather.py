"""Concurrency above, batches below: many callers ask for one thing each, the store is asked in bulk.

Promises:
- A request is sent at once when nothing is under way: there is no timer and no added latency. While
  `parallel` bulk calls are under way the next batch fills.
- Each caller gets its own answer or its own error. When the bulk call itself raises, everyone in that batch
  gets that error, and the next batch is sent all the same.
- A cancelled caller disturbs nobody. Its request is dropped if it was not sent yet, else its answer is.
- Nobody hangs at close: what is under way is answered, what was not sent yet gets `Unavailable`. `run` must
  end by itself, so it needs a limit of time of its own.
"""

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Generic, TypeVar

from shared.domain.errors import Unavailable

R = TypeVar("R")
A = TypeVar("A")

LARGEST = 200
"""Requests in one bulk call: more gain nothing in throughput and make the first caller wait for the last."""

PARALLEL = 1
"""Bulk calls under way at once. A call costs the server as much as ten of the documents in it, so fewer and
fuller ones are faster: the whole way on MongoDB made 107 mails/s with two calls at once, 122 with one."""


class Gatherer(Generic[R, A]):
    """Turns single requests into bulk calls of `run`, which returns an answer or error for each, in order."""

    def __init__(
        self,
        run: Callable[[list[R]], Awaitable[list[A | BaseException]]],
        largest: int = LARGEST,
        parallel: int = PARALLEL,
    ) -> None:
        self._run = run
        self._largest = largest
        self._parallel = parallel
        self._waiting: deque[tuple[R, Future[A]]] = deque()
        self._senders: set[Task[None]] = set()
        self._sender_starts = False
        self._closed = False

    async def ask(self, request: R) -> A:
        """The answer to `request`. Raises what `run` gave for it, and `Unavailable` once closed."""
        if self._closed:
            raise _closing()
        answer: Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        self._start_sender()
        return await answer

    async def close(self) -> None:
        """Refuse what was not sent yet, wait for what is under way."""
        self._closed = True
        while self._waiting:
            _, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(_closing())
        if self._senders:
            await asyncio.wait(self._senders)

    def _start_sender(self) -> None:
        # A sender that was made but did not run yet takes along everything that is asked until it does.
        if self._sender_starts or len(self._senders) >= self._parallel:
            return
        self._sender_starts = True
        # An empty context: a batch belongs to many callers, so one caller's log fields must not stick to it.
        sender = asyncio.get_running_loop().create_task(self._send_all(), context=Context())
        self._senders.add(sender)
        sender.add_done_callback(self._ended)

    def _ended(self, sender: Task[None]) -> None:
        self._senders.discard(sender)
        if sender.cancelled():  # the loop is being torn down, maybe before the sender ran at all
            self._sender_starts = False
            while self._waiting:
                self._waiting.popleft()[1].cancel()
        elif self._waiting:  # asked between its last look for requests and this moment
            self._start_sender()

    async def _send_all(self) -> None:
        self._sender_starts = False
        while batch := self._next_batch():
            await self._send(batch)

    def _next_batch(self) -> list[tuple[R, Future[A]]]:
        batch: list[tuple[R, Future[A]]] = []
        while self._waiting and len(batch) < self._largest:
            request, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((request, answer))
        return batch

    async def _send(self, batch: list[tuple[R, Future[A]]]) -> None:
        try:
            answers = await self._run([request for request, _ in batch])
        except asyncio.CancelledError:
            for _, waiting in batch:
                waiting.cancel()
            raise
        except Exception as error:  # noqa: BLE001 (it is handed to every caller of the batch)
            answers = [error] * len(batch)
        if len(answers) != len(batch):
            answers = [RuntimeError(f"{len(batch)} requests got {len(answers)} answers")] * len(batch)
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if waiting.done():
                continue
            if isinstance(answer, BaseException):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)


def _closing() -> Unavailable:
    return Unavailable("the store", "it is being closed")
