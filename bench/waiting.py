"""A service whose handler waits: for each record it asks a slow model over HTTP, then writes the effect down.

`python -m bench.waiting --topic T --group G --model URL` runs it as a process, by the settings of any service
(`OMBUD_KAFKA__…`, `OMBUD_MONGO__…`, `OMBUD_CONSUMER__…`, `OMBUD_INSTANCE`, `OMBUD_HTTP__PORT`). It shows what
the runner promises any handler: nothing lost, nothing doubled, in order by key, however many replicas.

The effect is one document a key, `Effects`, whose `tokens` are the records' values in the order in which they
took effect; a token that is there already changes nothing. A model that does not answer is waited for.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx2
from pydantic import Field

from services.cli.serve import run_loop
from services.settings import read_settings
from shared.domain.documents import Document
from shared.domain.errors import Unavailable
from shared.ports.bus import Record
from shared.ports.documents import Spec
from shared.runtime import logs
from shared.runtime.process import run_process
from shared.runtime.service import Platform, Reader, Service
from shared.stores.store import Store

MODEL_SECONDS = 60.0
"""How long an answer is waited for."""


class Effects(Document):
    """What has been done for a key, oldest first."""

    tokens: list[str] = Field(default_factory=list)

    def take(self, token: str) -> None:
        """Do it, once."""
        if token not in self.tokens:
            self.tokens.append(token)
            self.touch()


EFFECTS = Spec("effects", Effects)


class Handler:
    """What is done with a record."""

    def __init__(self, effects: Store[Effects], model: httpx2.AsyncClient) -> None:
        self._effects = effects
        self._model = model

    async def handle(self, record: Record) -> None:
        """Ask, then write down. Raises `Unavailable` while the model does not answer."""
        token = record.value.decode()
        try:
            answer = await self._model.post("/", content=record.value)
        except httpx2.TransportError as away:
            raise Unavailable("model", type(away).__name__) from away
        await self._effects.add(Effects(id=record.key))
        await self._effects.change(record.key, lambda effects: effects.take(answer.text or token))


def main(arguments: Sequence[str] | None = None) -> int:
    """The process."""
    parser = argparse.ArgumentParser(prog="waiting")
    for name in ("topic", "group", "model"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args(arguments)

    async def build(platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
        await platform.documents.prepare([EFFECTS])
        limits = httpx2.Limits(max_connections=None)
        client = httpx2.AsyncClient(base_url=options.model, timeout=MODEL_SECONDS, limits=limits)
        await stack.enter_async_context(client)
        handler = Handler(Store(platform.documents, EFFECTS), client)
        return Service("waiting", [Reader(options.topic, options.group, handler.handle)])

    settings = read_settings()
    logs.set_up(settings.log, "waiting")
    return run_loop(lambda: run_process(settings, "waiting", {"waiting": build}))


if __name__ == "__main__":
    sys.exit(main())
