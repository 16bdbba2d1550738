"""Names and types of strangers' files, as they are handed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.attachments import LONGEST_NAME, headers_of, safe_name
from shared.domain.messages import Attachment


def attachment(
    filename: str = "a.bin", content_type: str = "application/x-foo", *, inline: bool = False
) -> Attachment:
    return Attachment(filename=filename, content_type=content_type, size=3, sha256="0" * 64, inline=inline)


@pytest.mark.parametrize(
    ("given_name", "proposed"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\evil.exe", "evil.exe"),
        (".htaccess", "htaccess"),
        ("..", "attachment-2"),
        ("", "attachment-2"),
        ("a\r\nSet-Cookie: x=y.txt", "aSet-Cookie x=y.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("in\u200bvisible\x00.txt", "invisible.txt"),
        ('a"b;c\\d.txt', "d.txt"),
        ('quo"te<>|?*.txt', "quote.txt"),
        ("trailing. . .", "trailing"),
        ("CON.txt", "_CON.txt"),
        ("lpt1", "_lpt1"),
        ("Rechnung für März.pdf", "Rechnung für März.pdf"),
        ("领收书.pdf", "领收书.pdf"),
        ("many   spaces\u00a0.txt", "many spaces.txt"),
        ("x" * 500 + ".tar.gz", "x" * (LONGEST_NAME - 3) + ".gz"),
        ("x." + "y" * 500, "x." + "y" * (LONGEST_NAME - 2)),
    ],
)
def test_a_name_is_a_name_and_nothing_else(given_name: str, proposed: str) -> None:
    assert safe_name(attachment(given_name), 2) == proposed


@given(st.text(max_size=400), st.text(max_size=40), st.booleans())
def test_no_name_and_no_type_gets_out_of_its_header(filename: str, content_type: str, inline: bool) -> None:
    made = headers_of(attachment(filename, content_type, inline=inline), 1)

    name = safe_name(attachment(filename, content_type), 1)
    assert 0 < len(name) <= LONGEST_NAME + 12
    assert not set(name) & set('/\\"<>|?*:%')
    assert name not in (".", "..")
    for value in made.values():
        assert value.isascii()
        assert value.isprintable()
    assert made["Content-Disposition"].count('"') == 2
    assert made["Content-Type"].partition("/")[0] in "application audio image message text video".split()


@pytest.mark.parametrize(
    "content_type",
    "text/html image/svg+xml application/xhtml+xml text/xml application/javascript text/css"
    " application/x-msdownload multipart/mixed text/html;charset=utf-8 nonsense".split(),
)
def test_what_could_run_is_bytes_to_be_saved(content_type: str) -> None:
    made = headers_of(attachment("a.html", content_type, inline=True), 1)

    assert made["Content-Type"] == "application/octet-stream"
    assert made["Content-Disposition"].startswith("attachment;")


def test_only_a_picture_that_the_mail_shows_itself_is_shown() -> None:
    assert headers_of(attachment("a.png", "IMAGE/PNG", inline=True), 1)["Content-Disposition"].startswith(
        "inline"
    )
    assert headers_of(attachment("a.png", "image/png"), 1)["Content-Disposition"].startswith("attachment")
    assert headers_of(attachment("a.jpg", "image/jpg"), 1)["Content-Type"] == "image/jpeg"
