"""Notify as a process builds it."""

from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from services.notify.service import build
from services.notify.settings import NotifySettings
from shared.adapters.system_clock import SystemClock
from shared.domain.errors import Refused, Unavailable
from shared.domain.events import TICKETS_TOPIC
from shared.runtime.service import Platform
from shared.runtime.settings import SmtpSettings
from shared.stores.stores import Stores
from tests.unit.notify.samples import MAILBOXES, SECRET


def platform_on(stores: Stores) -> Platform:
    """What notify uses of a platform; it touches neither bus nor blobs."""
    nothing = cast("Any", None)
    return Platform(SystemClock(), nothing, stores.documents, nothing, stores, "test", SECRET)


def settings(**notify: Any) -> SimpleNamespace:
    return SimpleNamespace(notify=NotifySettings(**notify), smtp=SmtpSettings(), mailboxes=MAILBOXES)


async def test_it_reads_the_tickets_topic_delivers_and_says_whether_the_relay_answers(stores: Stores) -> None:
    async with AsyncExitStack() as stack:
        service = await build(platform_on(stores), settings(lead_address="lead@example.org"), stack)

        assert [(reader.topic, reader.group) for reader in service.readers] == [(TICKETS_TOPIC, "notify")]
        assert set(service.tasks) == {"delivery"}
        with pytest.raises(Unavailable, match="no relay is configured"):
            await service.pings["smtp"]()


@pytest.mark.parametrize(("lead", "warnings"), [("", 1), ("lead@example.org", 0)])
async def test_that_nobody_hears_of_missed_deadlines_is_said_once(
    stores: Stores, lead: str, warnings: int
) -> None:
    async with AsyncExitStack() as stack:
        with capture_logs() as logs:
            await build(platform_on(stores), settings(lead_address=lead), stack)

    assert sum(line["event"] == "notify.no_lead" for line in logs) == warnings


async def test_a_broken_template_stops_the_start(stores: Stores, tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "reply.txt").write_text("{% broken %}")
    async with AsyncExitStack() as stack:
        with pytest.raises(Refused, match="broken"):
            await build(platform_on(stores), settings(templates=tmp_path), stack)


def test_a_typing_mistake_in_the_settings_is_found() -> None:
    with pytest.raises(ValueError, match="lead_adress"):
        NotifySettings(lead_adress="lead@example.org")  # type: ignore[call-arg]  # the mistake itself
