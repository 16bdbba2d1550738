"""What describes a part, as senders write it."""

import time
from collections.abc import Callable

import pytest

from services.ingest.mime_fields import plain_encoding, plain_parameters, plain_type


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("image/ jpeg", "image/jpeg; "),
        ("(hello) text (plain) / (world) plain (end)", "text/plain; "),
        ("text /plain; charset=x", "text/plain; charset=x"),
        ("application/pdf\n name=a.pdf", "application/pdf; name=a.pdf"),
        ("text/plain>", "text/plain; "),
        ("text/html, charset=utf-8", "text/html; charset=utf-8"),
        ("text/; charset=x", "text/plain; charset=x"),
        ("multipart/; boundary=x", "multipart/mixed; boundary=x"),
        ("application/", "application/octet-stream; "),
        ("image/", "image/x-unknown; "),
        ("plain / text; charset=x", "text/plain; charset=x"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_a_content_type_is_written_as_the_library_takes_it(raw: str, plain: str) -> None:
    assert plain_type(raw) == plain


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ('a/b; name="x; y.pdf"; size=3', 'a/b; name="x; y.pdf"; size=3'),
        ('a/b; name="one.pdf" name="two.pdf"', 'a/b; name="one.pdf"; name="two.pdf"'),
        ('a/b; charset="utf-8"\n\tname=c.pdf', 'a/b; charset="utf-8";\n\tname=c.pdf'),
        ('a/b; name="never closed.pdf', 'a/b; name="never closed.pdf"'),
        ('a/b; name="never closed.pdf; size=3', 'a/b; name="never closed.pdf"; size=3'),
        ('a/b; name="a \\" within.pdf"', 'a/b; name="a \\" within.pdf"'),
        ('a/b; name=5" wide.pdf', 'a/b; name=5" wide.pdf'),
        ("a/b; name=plain.pdf", "a/b; name=plain.pdf"),
    ],
)
def test_quotes_of_parameters_are_closed_and_parameters_apart(raw: str, plain: str) -> None:
    assert plain_parameters(raw) == plain


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("base64", "base64"),
        ('"base64"', "base64"),
        ("(as ever) base64 (comment)", "base64"),
        (" quoted-printable; ", "quoted-printable"),
        ("8bit, base64", "8bit, base64"),
        ("", ""),
    ],
)
def test_a_transfer_encoding_is_its_one_word(raw: str, plain: str) -> None:
    assert plain_encoding(raw) == plain


@pytest.mark.parametrize("mend", [plain_type, plain_parameters, plain_encoding])
@pytest.mark.parametrize("bait", ['"', '\\"', "(", '="', ' a="', "a/", ";", '" a=', "\\"])
def test_a_hostile_description_is_mended_within_a_second(mend: Callable[[str], str], bait: str) -> None:
    raw = 'a/b; name="' + bait * (256 * 1024 // len(bait))
    started = time.process_time()
    mend(raw)

    assert time.process_time() - started < 1.0
