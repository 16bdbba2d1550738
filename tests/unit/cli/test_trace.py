"""`ombud trace` tells why a mail is where it is, and whether its sender is known to be who it says."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from services.ingest.authentication import Policy
from services.ingest.handlers import Intake
from services.settings import read_settings
from shared.runtime.settings import KafkaSettings, MongoSettings
from shared.runtime.wiring import open_platform
from tests.unit.cli.conftest import Ombud
from tests.unit.ingest.mails import SUPPORT, answer, fetched, mail, record

OURS = "mx.example.com"
FAILS = b"Authentication-Results: mx.example.com; dmarc=fail\r\n"


def take_in(data: Path, *raws: bytes) -> None:
    """Intake as a process does it, on the embedded store under `data`."""

    async def work() -> None:
        async with AsyncExitStack() as stack:
            settings = read_settings(data=data, secret="", kafka=KafkaSettings(), mongo=MongoSettings())
            wired = await open_platform(settings, stack, "test")
            await wired.prepare()
            intake = Intake(wired.platform, settings.ingest, [SUPPORT], {"support": Policy(OURS)})
            for uid, raw in enumerate(raws, start=1):
                await intake.handle(record(fetched(raw, uid)))

    asyncio.run(work())


def test_a_trace_tells_by_what_a_mail_was_matched(ombud: Ombud, tmp_path: Path) -> None:
    take_in(tmp_path / "data", mail(), answer("two@example.org", "one@example.org"))
    told = ombud("trace", "two@example.org")
    (message,) = json.loads(ombud("trace", "<two@example.org>", "--json").out)["messages"]

    assert "matched by In-Reply-To or References <one@example.org>" in told.out
    assert "unverified" not in told.out
    assert message["reasons"][0] == "matched by In-Reply-To or References <one@example.org>"


def test_a_trace_tells_of_a_sender_who_is_not_believed(ombud: Ombud, tmp_path: Path) -> None:
    take_in(tmp_path / "data", mail(), FAILS + answer("two@example.org", "one@example.org"))
    told = ombud("trace", "two@example.org")
    found = json.loads(ombud("trace", "two@example.org", "--json").out)

    assert "unverified; opened: the sender takes no part in the ticket that the mail names" in told.out
    assert "says that it fails the DMARC policy of example.org" in told.out
    assert found["messages"][0]["verified"] is False
    assert found["tickets"][0]["claims_to_belong_to"] is not None
