"""What a message holds, over the API: its page and its files, on both stores."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.api.attachments import cut_out
from services.ingest.parsing import parse
from shared.domain.errors import Unreadable
from shared.domain.messages import Message
from tests.unit.api.both_stores import on_mongo
from tests.unit.api.house import House, open_house, problem

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c4890000000d49444154789c6360606060"
    "000000050001a5f645400000000049454e44ae426082"
)
BEYOND_ASCII = "filename*=UTF-8''Rechnung%20f%C3%BCr%20M%C3%A4rz.pdf"
LARGE = bytes(range(251)) * 12_000
PAGE = (
    '<p onclick="x">Hello <img src="cid:logo@example.org"><img src="https://spy.example/1.gif"></p>'
    "<script>alert(1)</script>"
)


def part(headers: str, data: bytes) -> bytes:
    return f"--X\r\n{headers}\r\n\r\n".encode() + data + b"\r\n"


def encoded(headers: str, data: bytes) -> bytes:
    return part(f"{headers}\r\nContent-Transfer-Encoding: base64", base64.encodebytes(data))


def mail(*parts: bytes, html: str = PAGE) -> bytes:
    return b"".join(
        [
            b"From: mia@example.com\r\nSubject: A <b>bold</b> one\r\n",
            b"Content-Type: multipart/mixed; boundary=X\r\n\r\n",
            part("Content-Type: text/html; charset=utf-8", html.encode()),
            *parts,
            b"--X--\r\n",
        ]
    )


LOGO = encoded("Content-Type: image/png\r\nContent-ID: <logo@example.org>", PNG)
FILES = (
    LOGO,
    encoded(
        "Content-Type: text/html\r\nContent-Disposition: attachment; filename=../../evil.html", b"<script>"
    ),
    encoded("Content-Type: application/pdf; name*=utf-8''Rechnung%20f%C3%BCr%20M%C3%A4rz.pdf", LARGE),
    part("Content-Type: image/svg+xml; name=a.svg\r\nContent-Disposition: inline", b"<svg onload=x></svg>"),
    part("Content-Type: message/rfc822", b"Subject: inner\r\n\r\ninner text"),
)


@pytest.fixture(params=[pytest.param("mongo", marks=pytest.mark.mongo), "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        opened = await open_house(tmp_path, stack)
        if request.param == "mongo":
            url, database = (request.getfixturevalue(name) for name in ("mongo_url", "mongo_database"))
            opened = await on_mongo(opened, stack, url, database)
        yield opened


async def message_of(house: House, mailed: bytes, **changed: Any) -> Message:
    """The mail on a ticket, as intake would have put it there."""
    read, ticket = parse(mailed), await house.ticket()
    fields = {"html": read.html, "subject": read.subject, "attachments": read.attachments}
    kept = await house.platform.blobs.put(mailed)
    return await house.message(ticket.id, **{**fields, "raw": kept, **changed})


def page_path(message: Message) -> str:
    return f"/v1/tickets/{message.ticket_id}/messages/{message.id}/html"


def file_path(message: Message, number: int) -> str:
    return f"/v1/tickets/{message.ticket_id}/messages/{message.id}/attachments/{number}"


async def test_a_mails_html_is_a_page_that_runs_and_loads_nothing(house: House) -> None:
    message = await message_of(house, mail(*FILES))

    answer = await house.client.get(page_path(message))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = [rule.strip() for rule in answer.headers["content-security-policy"].split(";")]
    assert policy[0] == "sandbox allow-popups allow-popups-to-escape-sandbox"
    assert {"default-src 'none'", "img-src 'self' data:", "style-src 'unsafe-inline'"} <= set(policy)
    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-dns-prefetch-control": "off",
        "cache-control": "private",
        "content-disposition": "inline",
        "ombud-remote-images": "1",
    }.items():
        assert answer.headers[name] == value
    assert f'<p>Hello <img src="{file_path(message, 1)}"><img></p>' in answer.text
    assert "<title>A &lt;b&gt;bold&lt;/b&gt; one</title>" in answer.text
    assert "script" not in answer.text


async def test_pictures_from_elsewhere_are_loaded_only_when_that_is_asked_for(house: House) -> None:
    message = await message_of(house, mail(*FILES))

    answer = await house.client.get(f"{page_path(message)}?remote_images=true")

    assert '<img src="https://spy.example/1.gif">' in answer.text
    assert "img-src 'self' data: https: http:" in answer.headers["content-security-policy"]
    assert answer.headers["ombud-remote-images"] == "1"


async def test_a_page_may_hold_its_own_pictures_for_a_frame_without_a_key(house: House) -> None:
    message = await message_of(house, mail(*FILES))

    answer = await house.client.get(f"{page_path(message)}?embed=true")

    assert f'<img src="data:image/png;base64,{base64.b64encode(PNG).decode()}">' in answer.text


async def test_a_picture_that_cannot_be_embedded_is_left_to_its_address(house: House) -> None:
    damaged = await message_of(house, mail(*FILES), raw=await house.platform.blobs.put(b"other" * 1000))
    gone = await message_of(house, mail(*FILES), raw="0" * 64)

    for message in (damaged, gone):
        answer = await house.client.get(f"{page_path(message)}?embed=true")
        assert f'<img src="{file_path(message, 1)}">' in answer.text


async def test_a_message_without_html_is_its_text_as_it_stands(house: House) -> None:
    ticket = await house.ticket()
    message = await house.message(ticket.id, html="")
    written = message.model_copy(update={"id": "msg_text", "text": "<b>5 < 6</b>\n  indented"})
    message = await house.platform.stores.messages.add(written)

    answer = await house.client.get(page_path(message))

    assert "<pre>&lt;b&gt;5 &lt; 6&lt;/b&gt;\n  indented</pre>" in answer.text
    assert "color-scheme:light dark" in answer.text
    assert answer.headers["ombud-remote-images"] == "0"


async def test_a_message_tells_its_files_and_where_each_is_and_each_is_there(house: House) -> None:
    message = await message_of(house, mail(*FILES))

    (told,) = (await house.client.get(f"/v1/tickets/{message.ticket_id}/messages")).json()["data"]

    assert told["has_html"] is True
    assert [one["content_id"] for one in told["attachments"]] == ["logo@example.org", "", "", "", ""]
    contents = [(await house.client.get(one["url"])).content for one in told["attachments"]]
    assert contents == [PNG, b"<script>", LARGE, b"<svg onload=x></svg>", b"Subject: inner\r\n\r\ninner text"]
    assert [len(content) for content in contents] == [one["size"] for one in told["attachments"]]


async def test_a_file_is_saved_and_never_opened_whatever_it_says_that_it_is(house: House) -> None:
    message = await message_of(house, mail(*FILES))

    heads = [(await house.client.get(file_path(message, number))).headers for number in range(1, 6)]

    assert [head["content-type"] for head in heads] == [
        "image/png",
        "application/octet-stream",
        "application/pdf",
        "application/octet-stream",
        "message/rfc822",
    ]
    assert [head["content-disposition"] for head in heads] == [
        'inline; filename="attachment-1.png"',
        'attachment; filename="evil.html"',
        f'attachment; filename="Rechnung f_r M_rz.pdf"; {BEYOND_ASCII}',
        'attachment; filename="a.svg"',
        'attachment; filename="attachment-5.eml"',
    ]
    for head in heads:
        assert head["x-content-type-options"] == "nosniff"
        assert head["content-security-policy"] == "sandbox; default-src 'none'"
        assert head["referrer-policy"] == "no-referrer"
        assert head["cache-control"].startswith("private")


async def test_what_is_not_there_is_not_found_and_says_what(house: House) -> None:
    message, other = await message_of(house, mail(*FILES)), await house.ticket()
    elsewhere = message.model_copy(update={"ticket_id": other.id})
    unknown = message.model_copy(update={"id": "msg_none"})

    for wrong in (elsewhere, unknown):
        for path in (page_path(wrong), file_path(wrong, 1)):
            told = problem(await house.client.get(path), 404, "not_found")
            assert told["detail"].startswith("this ticket has no message under this id")
    told = problem(await house.client.get(file_path(message, 6)), 404, "not_found")
    assert told["detail"].startswith("this message has 5 attachments")
    for number in ("0", "x", "99999"):
        problem(await house.client.get(f"{file_path(message, 1)[:-1]}{number}"), 422, "invalid")


async def test_a_file_of_which_only_the_raw_mail_is_known_says_so(house: House) -> None:
    read = parse(mail(*FILES)).attachments
    before = [one.model_copy(update={"place": None}) for one in read]
    message = await message_of(house, mail(*FILES), attachments=before)

    (told,) = (await house.client.get(f"/v1/tickets/{message.ticket_id}/messages")).json()["data"]
    answer = problem(await house.client.get(file_path(message, 1)), 404, "not_found")

    assert {one["url"] for one in told["attachments"]} == {None}
    assert "raw mail" in answer["detail"]
    assert "<p>Hello <img><img></p>" in (await house.client.get(page_path(message))).text


async def test_a_file_whose_mail_is_no_longer_kept_is_gone(house: House) -> None:
    message = await message_of(house, mail(*FILES), raw="0" * 64)

    problem(await house.client.get(file_path(message, 1)), 410, "gone")


async def test_who_may_read_tickets_may_read_what_they_hold_and_nobody_else(house: House) -> None:
    message = await message_of(house, mail(*FILES))
    reader, other = await house.bearer("tickets:read"), await house.bearer("mail:read", name="other")

    for path in (page_path(message), file_path(message, 1)):
        assert (await house.client.get(path, headers=reader)).status_code == 200
        problem(await house.client.get(path, headers=other), 403, "forbidden")
        problem(await house.client.get(path, headers={"Authorization": ""}), 401, "unauthorized")


async def test_bytes_that_are_not_those_of_the_list_end_in_a_fault(house: House) -> None:
    """The answer has begun by then: its connection is broken off, as after any fault."""
    message = await message_of(house, mail(*FILES))
    other = await house.platform.blobs.put(mail(*FILES[1:], LOGO))
    listed = message.attachments[0]
    assert listed.place is not None

    with pytest.raises(Unreadable, match="not the one that was listed"):
        _ = [piece async for piece in cut_out(house.platform.blobs, other, listed, listed.place)]
