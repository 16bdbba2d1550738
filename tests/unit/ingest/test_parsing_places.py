"""Where a mail's files lie in it: cut out at their places, they are the bytes that were listed."""

import base64
import hashlib

import pytest

from services.ingest.parsing import parse
from shared.domain.transfer import decoded
from tests.conformance.cases import corpora, mail_cases

PNG = bytes(range(256)) * 40
MAIL = (
    b"From: ada@example.org\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\n\r\nHello\r\n"
    b"--X\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(PNG).replace(b"\n", b"\r\n")
    + b"--X\r\nContent-Type: text/csv; name=b.csv\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"caf=C3=A9;1=\r\n2\r\n"
    b"--X\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
    b"Content-Type: multipart/mixed; boundary=Y\r\n\r\n"
    b"--Y\r\nContent-Disposition: attachment; filename=c.bin\r\n\r\nc\r\n--Y--\r\n"
    b"--X--\r\n"
)


def cut_out(raw: bytes) -> list[bytes | None]:
    """Each file by its place, after a comparison with what is told of it; None where it has no place."""
    found: list[bytes | None] = []
    for one in parse(raw).attachments:
        if one.place is None:
            found.append(None)
            continue
        data = decoded(raw[one.place.begin : one.place.end], one.place.encoding)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (one.size, one.sha256), one.filename
        found.append(data)
    return found


@pytest.mark.parametrize("before", [b"", b"\r\n\r\n", b"\xef\xbb\xbf"])
def test_each_file_is_cut_out_of_the_mail_as_it_came(before: bytes) -> None:
    files = cut_out(before + MAIL)

    assert files[:2] == [PNG, "café;12".encode()]
    assert files[2] is not None
    assert files[2].startswith(b"Subject: inner")
    assert len(files) == 3


def test_a_mail_whose_line_ends_were_mended_tells_no_places() -> None:
    assert cut_out(MAIL.replace(b"\r\n", b"\r")) == [None, None, None]


def test_a_mail_that_has_only_a_mail_within_it_lists_that_one_and_not_its_files() -> None:
    raw = b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + MAIL

    assert cut_out(raw) == [MAIL]


def test_every_file_of_the_corpora_is_cut_out() -> None:
    folder = corpora()
    if folder is None:
        pytest.skip("no corpora on this machine")
    places = [one for case in mail_cases(folder) for one in cut_out(case.mail.read_bytes())]

    assert places.count(None) < len(places) / 100
