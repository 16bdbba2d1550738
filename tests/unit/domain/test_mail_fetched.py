"""The event that a mail becomes, and the key that keeps a thread in order."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Unreadable
from shared.domain.mail_fetched import MailFetched, thread_key

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FETCHED = MailFetched("support", 7, 42, "d" * 64, NOON, NOON, "00-trace-span-01", b"Subject: x\r\n\r\nhello")


def test_what_was_fetched_is_read_back_from_its_record() -> None:
    assert MailFetched.parse(FETCHED.headers(), b"Subject: x\r\n\r\nhello") == FETCHED


def test_a_large_mail_travels_by_reference() -> None:
    by_reference = MailFetched("support", 7, 42, "d" * 64, NOON, NOON, "", None)

    assert MailFetched.parse(by_reference.headers(), b"").raw is None


@pytest.mark.parametrize(
    "name", ["ce_subject", "ce_uid", "ce_uidvalidity", "ce_digest", "ce_time", "ce_receivedat"]
)
def test_a_record_without_one_of_its_headers_is_unreadable(name: str) -> None:
    headers = {key: value for key, value in FETCHED.headers().items() if key != name}
    with pytest.raises(Unreadable):
        MailFetched.parse(headers, b"")


def test_a_record_with_a_uid_that_is_no_number_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        MailFetched.parse(FETCHED.headers() | {"ce_uid": "many"}, b"")


@pytest.mark.parametrize(
    ("head", "key"),
    [
        (b"References: <root@x> <next@x>\r\nIn-Reply-To: <next@x>\r\nMessage-ID: <me@x>", "root@x"),
        (b"In-Reply-To: <next@x>\r\nMessage-ID: <me@x>", "next@x"),
        (b"Message-ID: <me@x>", "me@x"),
        (b"MESSAGE-ID:\r\n <folded@x>", "folded@x"),
        (b"References:\r\n\t<root@x>\r\n\t<next@x>", "root@x"),
        (b"References: none\r\nMessage-ID: <me@x>", "me@x"),
        (b"Subject: no ids", "digest"),
        (b"", "digest"),
    ],
)
def test_the_key_is_the_root_of_the_thread(head: bytes, key: str) -> None:
    assert thread_key(head + b"\r\n\r\nMessage-ID: <body@x>\r\n", "digest") == key


def test_bare_line_feeds_are_understood() -> None:
    assert thread_key(b"Subject: x\nMessage-ID: <me@x>\n\nbody", "digest") == "me@x"


@given(st.binary(max_size=2000))
def test_any_bytes_have_a_key(raw: bytes) -> None:
    assert thread_key(raw, "digest")
