"""Pages of messages within their limits: what is too much is shown as text, and holds nothing up."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from services.api.settings import MIB, ShowingSettings
from services.api.showing import Page, Showing
from shared import metrics
from shared.domain.messages import Direction, Message
from tests.helpers import eventually
from tests.unit.api.markup import faults

DEEP = "<div>" * 50_000
"""Takes html5ever half a minute."""
SWELLING = "<p>{}</p>" + "<p>x</p>" * 8000
"""Each `<p>` opens every `<b>` of the first one anew."""


def message(html: str = "<p>Hello</p>", **fields: Any) -> Message:
    return Message(
        id="msg_1",
        ticket_id="tkt_1",
        direction=Direction.INBOUND,
        author="customer",
        text="The text <of> it",
        html=html,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        **fields,
    )


@asynccontextmanager
async def showing(**limits: Any) -> AsyncIterator[Showing]:
    opened = Showing(ShowingSettings(**limits))
    try:
        yield opened
    finally:
        await opened.close()


async def page(html: str, **limits: Any) -> Page:
    async with showing(**limits) as opened:
        return await opened.page(message(html), {}, remote_images=False)


def count(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("ombud_html_shown_total", {"outcome": outcome}) or 0.0


async def test_html_within_its_limits_is_shown() -> None:
    before = count("html")
    made = await page("<p>Hello</p>")

    assert "<body><p>Hello</p></body>" in made.document
    assert made.policy in made.document.replace("&#x27;", "'")
    assert '<meta http-equiv="x-dns-prefetch-control" content="off">' in made.document
    assert count("html") == before + 1


async def test_html_that_is_too_long_is_shown_as_text_that_says_so() -> None:
    before = count("too_large")
    made = await page("ä" * 600, html_bytes=1024)

    assert "it has 1200 bytes, more than the 1024 that are shown" in made.document
    assert "<pre>The text &lt;of&gt; it</pre>" in made.document
    assert count("too_large") == before + 1


async def test_html_that_takes_too_long_is_shown_as_text_and_its_process_is_killed() -> None:
    before = count("killed")
    made = await page(DEEP, seconds=0.5)

    assert "it takes longer than 0.5 seconds to make harmless" in made.document
    assert "<pre>The text &lt;of&gt; it</pre>" in made.document
    assert count("killed") == before + 1


async def test_html_that_takes_too_much_memory_is_shown_as_text(capfd: pytest.CaptureFixture[str]) -> None:
    before = count("died")
    many = "".join(f"<b x={number}>" for number in range(8000))  # tens of millions of elements
    made = await page(SWELLING.format(many), seconds=60, memory=256 * MIB)

    assert "it takes more memory to make harmless than it may" in made.document
    assert count("died") > before
    assert "memory" not in capfd.readouterr().err  # where the service's log goes, in JSON alone


async def test_html_that_grows_beyond_a_page_is_shown_as_text() -> None:
    before = count("too_large")
    few = "".join(f"<b x={number}>" for number in range(20))
    made = await page(SWELLING.format(few), seconds=60, page_bytes=MIB)

    assert "it has more than 1048576 bytes once it is harmless" in made.document
    assert count("too_large") == before + 1


async def test_a_picture_that_is_shown_ever_again_does_not_make_a_page_of_any_size() -> None:
    pictures = {"a": "data:image/png;base64," + "A" * MIB}
    async with showing(page_bytes=2 * MIB) as opened:
        once = await opened.page(message("<img src=cid:a>"), pictures, remote_images=False)
        often = await opened.page(message("<img src=cid:a>" * 3), pictures, remote_images=False)

    assert pictures["a"] in once.document
    assert "<pre>The text" in often.document


async def test_other_work_goes_on_while_a_mail_takes_long() -> None:
    async with showing(seconds=30, workers=1) as opened:
        slow = asyncio.create_task(opened.page(message(DEEP), {}, remote_images=False))
        quick = await opened.page(message(html=""), {}, remote_images=False)

        assert "<pre>The text" in quick.document
        assert not slow.done()
        slow.cancel()
        await asyncio.wait([slow])


async def test_a_process_that_something_else_ends_is_replaced() -> None:
    async with showing(workers=1) as opened:
        await opened.page(message(), {}, remote_images=False)
        (pid,) = opened.idle
        os.kill(pid, signal.SIGKILL)
        made = await opened.page(message(), {}, remote_images=False)

        assert "<p>Hello</p>" in made.document
        assert opened.idle != [pid]


async def test_a_process_that_dies_of_a_mail_leaves_no_image_of_it_on_the_disk() -> None:
    async with showing() as opened:
        await opened.page(message(), {}, remote_images=False)
        (pid,) = opened.idle

        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


async def test_its_processes_end_with_it() -> None:
    async with showing() as opened:
        await opened.page(message(), {}, remote_images=False)
        (pid,) = opened.idle

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    await eventually(is_gone)


async def test_many_mails_of_ordinary_size_share_few_processes() -> None:
    async with showing(workers=2) as opened:
        asked = [opened.page(message(f"<p>{number}</p>"), {}, remote_images=False) for number in range(20)]
        made = await asyncio.gather(*asked)

        assert [f"<p>{number}</p>" in one.document for number, one in enumerate(made)] == [True] * 20
        assert 1 <= len(opened.idle) <= 2


async def test_a_picture_in_the_html_that_is_too_long_is_left_out() -> None:
    picture = "<img src='data:image/png;base64," + "A" * 2000 + "'>"

    assert "base64" in (await page(picture)).document
    assert "base64" not in (await page(picture, data_bytes=1000)).document


async def test_a_subject_is_a_title_and_no_markup() -> None:
    async with showing() as opened:
        for html in ("<p>x</p>", ""):
            written = message(html, subject="</title><script>x</script>")
            made = await opened.page(written, {}, remote_images=False)

            assert "&lt;/title&gt;&lt;script&gt;x&lt;/script&gt;" in made.document
            assert [fault for fault in faults(made.document) if "script" in fault] == []
