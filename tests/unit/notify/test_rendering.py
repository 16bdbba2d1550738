"""The words of the letters: in the mailbox's language, escaped, and never with a hole."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.notify.preview import SAMPLES
from services.notify.rendering import Templates, paragraphs
from services.notify.rules import Kind
from shared.domain.errors import Invalid, Refused

LANGUAGES = ["en", "de", "es", "fr", "pt", "hi", "ta"]


def values(kind: Kind, **changed: Any) -> dict[str, Any]:
    return {**SAMPLES[kind], "mailbox_name": "Support", "language": "en", **changed}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_can_be_written_in_every_language_we_have(kind: Kind, language: str) -> None:
    written = Templates().write(kind, language, values(kind, language=language))

    assert "10042" in written.subject
    assert "\n" not in written.subject
    assert "10042" in written.text
    assert written.html.startswith("<!doctype html>")
    assert f'lang="{language}"' in written.html


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("missing", ["number", "mailbox_name"])
def test_a_letter_with_a_hole_is_not_written(kind: Kind, missing: str) -> None:
    holed = values(kind)
    del holed[missing]

    with pytest.raises(Invalid, match=missing):
        Templates().write(kind, "en", holed)


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("en", "We have received your message [#10042]"),
        ("de", "Wir haben Ihre Nachricht erhalten [#10042]"),
        ("de-AT", "Wir haben Ihre Nachricht erhalten [#10042]"),
        ("DE_at", "Wir haben Ihre Nachricht erhalten [#10042]"),
        ("tlh", "We have received your message [#10042]"),
        ("", "We have received your message [#10042]"),
        ("../de", "We have received your message [#10042]"),
    ],
)
def test_a_language_we_do_not_have_becomes_english(language: str, subject: str) -> None:
    written = Templates().write(Kind.ACKNOWLEDGEMENT, language, values(Kind.ACKNOWLEDGEMENT))

    assert written.subject == subject


def test_the_name_of_a_target_is_in_the_letters_language() -> None:
    breach = values(Kind.SLA_BREACHED)

    assert "first response" in Templates().write(Kind.SLA_BREACHED, "en", breach).text
    assert "erste Antwort" in Templates().write(Kind.SLA_BREACHED, "de", breach).subject
    assert "update" in Templates().write(Kind.SLA_BREACHED, "de", {**breach, "target": "update"}).text


def test_html_escapes_what_people_wrote_and_text_does_not() -> None:
    evil = '<script>alert(1)</script><img src="http://x.y/z">'
    reply = values(Kind.REPLY, text=evil, paragraphs=[[evil]], mailbox_name="<b>Support</b>")
    written = Templates().write(Kind.REPLY, "en", reply)

    assert evil in written.text
    assert "<script>" not in written.html
    assert "<img" not in written.html
    assert "<b>" not in written.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in written.html


@pytest.mark.parametrize("kind", Kind)
def test_no_letter_fetches_anything_and_each_can_be_read_in_the_dark(kind: Kind) -> None:
    html = Templates().write(kind, "en", values(kind)).html

    assert not re.search(r"https?:|src=|url\(|@import|<link", html)
    assert "prefers-color-scheme: dark" in html


def test_a_reply_keeps_the_writers_lines_and_paragraphs() -> None:
    text = "First line\nsecond line\n\n\nAnother  \n\nLast\r\nline"
    found = paragraphs(text)
    written = Templates().write(Kind.REPLY, "en", values(Kind.REPLY, text=text, paragraphs=found))

    assert found == [["First line", "second line"], ["Another"], ["Last", "line"]]
    assert re.search(r"<p[^>]*>First line<br>\s*second line</p>", written.html)
    assert written.text.startswith(text.rstrip("\n"))
    assert written.text.endswith("-- \nSupport · #10042")


def test_an_operators_template_takes_the_place_of_ours_and_only_that_one(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "acknowledgement.subject").write_text("Got it: {{ number }}")
    written = Templates(tmp_path).write(Kind.ACKNOWLEDGEMENT, "en", values(Kind.ACKNOWLEDGEMENT))

    assert written.subject == "Got it: 10042"
    assert "thank you" in written.text


def test_an_operators_language_comes_into_use_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "acknowledgement.subject").write_text("Abbiamo ricevuto il suo messaggio")
    written = Templates(tmp_path).write(Kind.ACKNOWLEDGEMENT, "it", values(Kind.ACKNOWLEDGEMENT))

    assert written.subject.startswith("Abbiamo")
    assert "thank you" in written.text


@pytest.mark.parametrize("broken", ["{% if %}", "{{ unclosed", b"\xff\xfe{{"])
def test_a_template_that_cannot_be_read_stops_the_start(tmp_path: Path, broken: str | bytes) -> None:
    (tmp_path / "en").mkdir()
    content = broken if isinstance(broken, bytes) else broken.encode()
    (tmp_path / "en" / "reply.txt").write_bytes(content)

    with pytest.raises(Refused, match="template"):
        Templates(tmp_path)
