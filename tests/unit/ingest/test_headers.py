"""Reading header fields."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.dates import date_of
from services.ingest.headers import Address, addresses, ids, own_id, text_of
from services.ingest.mime_fields import plain_type


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Plain", "Plain"),
        ("=?utf-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=", "Grüße an alle"),
        ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ?=", "Grüße"),
        ("Re: =?iso-8859-1?q?Stra=DFe?= 5", "Re: Straße 5"),
        ("=?utf-8?q?one?= =?utf-8?q?two?=", "onetwo"),
        ("=?utf-8?B?8J+Y?=\r\n =?utf-8?B?gA==?=", "😀"),
        ("=?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("folded\r\n over\r\n\tlines", "folded over lines"),
        ("Gr\udcc3\udcbc\udcc3\udc9fe", "Grüße"),
        ("Gr\udcfc\udcdfe", "Grüße"),
        ("=?utf-8?q?x=0D=0ABcc:_evil@example.org?=", "x Bcc: evil@example.org"),
        ("=?nonsense?q?kept?=", "kept"),
        ("=?utf-8?x?kept as it stands?=", "=?utf-8?x?kept as it stands?="),
    ],
)
def test_a_field_is_read_as_its_sender_meant_it(raw: str, text: str) -> None:
    assert text_of(raw) == text


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("ada@example.org", [("ada@example.org", "")]),
        ("Ada <ADA@Example.org>", [("ada@example.org", "Ada")]),
        ('"Lovelace, Ada" <ada@example.org>', [("ada@example.org", "Lovelace, Ada")]),
        ("ada@example.org (Ada Lovelace)", [("ada@example.org", "Ada Lovelace")]),
        ("=?utf-8?q?J=C3=B6rg?= <j@example.org>", [("j@example.org", "Jörg")]),
        ('"=?utf-8?q?M=C3=BCller=2C_J?=" <j@example.org>', [("j@example.org", "Müller, J")]),
        ("=?utf-8?q?Ada_=3Cada=40example=2Eorg=3E?=", [("ada@example.org", "Ada")]),
        ("a@x.org, B <b@x.org>; c@x.org", [("a@x.org", ""), ("b@x.org", "B"), ("c@x.org", "")]),
        ("Team: a@x.org, b@x.org;", [("a@x.org", ""), ("b@x.org", "")]),
        ("undisclosed-recipients:;", []),
        ('"quo\\"ted" <q@x.org>', [("q@x.org", 'quo"ted')]),
        (
            "Ada (a (nested) \\) comment) <ada@(here)x.org>",
            [("ada@x.org", "Ada (a (nested) ) comment here)")],
        ),
        ("ada@x.org (Ada (the first))", [("ada@x.org", "Ada (the first)")]),
        ("Team (us): Ada <ada@x.org> (a), b@x.org;", [("ada@x.org", "Ada (a)"), ("b@x.org", "")]),
        ("Ada (=?utf-8?q?K=C3=BCche?=) <ada@x.org>", [("ada@x.org", "Ada (Küche)")]),
        ('"Ada: at work" <ada@x.org>', [("ada@x.org", "Ada: at work")]),
        ("Ada (never closed <ada@x.org>", [("ada@x.org", "Ada (never closed")]),
        ("a@x.org\nb@x.org", [("a@x.org", "")]),
        ("Ada <ada@x.org> and more", [("ada@x.org", "Ada")]),
        ("<>", []),
        ("Ada", []),
        ("", []),
    ],
)
def test_addresses_are_found_with_their_names(raw: str, found: list[tuple[str, str]]) -> None:
    assert addresses(raw) == tuple(Address(*one) for one in found)


def test_no_more_addresses_are_kept_than_allowed() -> None:
    assert len(addresses(",".join(f"u{number}@example.org" for number in range(100)), most=7)) == 7


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("<a@x> <b@x>", ["a@x", "b@x"]),
        ("<a@x>\r\n <b@x>,<a@x>", ["a@x", "b@x"]),
        ("a@x b@x", ["a@x", "b@x"]),
        ("Your message of Monday <a@x>", ["a@x"]),
        ("nothing", []),
        (" 0123abc ", ["0123abc"]),
        ("message 17", []),
        ("17", []),
    ],
)
def test_ids_are_found_in_order_and_once(raw: str, found: list[str]) -> None:
    assert ids(raw) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [("<a@x>", "a@x"), ("a@x", "a@x"), ("<no-at-sign>", "no-at-sign"), ("<two words>", ""), ("", "")],
)
def test_the_own_id_of_a_mail_may_be_badly_formed(raw: str, found: str) -> None:
    assert own_id(raw) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("Tue, 01 Sep 2026 10:00:00 +0200", datetime(2026, 9, 1, 8, tzinfo=UTC)),
        ("1 Sep 2026 10:00:00 -0000", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("yesterday", None),
        ("Tue, 99 Sep 2026 10:00:00 +0200", None),
        ("Fri, 31 Dec 9999 23:00:00 -2300", None),
        ("", None),
    ],
)
def test_dates_are_instants_in_utc_or_nothing(raw: str, found: datetime | None) -> None:
    assert date_of(raw) == found


# A parser of bytes keeps what is not ASCII as these surrogates, and gives no others.
BYTES_KEPT = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)


@given(st.text(st.characters(exclude_categories=["Cs"]) | BYTES_KEPT))
def test_no_field_body_is_too_strange_to_be_read(raw: str) -> None:
    text_of(raw).encode("utf-8")
    addresses(raw)
    ids(raw)
    own_id(raw)
    date_of(raw)


@pytest.mark.parametrize(
    "bait", ['"', '\\"', "(", "<", "=?a?q?", "a@", "a" * 10 + "@,", "=?utf-8?q?x?= ", "a", ": ", " 1"]
)
def test_hostile_fields_of_a_quarter_megabyte_are_read_within_a_second(bait: str) -> None:
    raw = bait * (256 * 1024 // len(bait))
    started = time.process_time()
    text_of(raw)
    addresses(raw)
    ids(raw)

    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("image/ jpeg", "image/jpeg; "),
        ("(hello) text (plain) / (world) plain (end)", "text/plain; "),
        ("text /plain; charset=x", "text/plain; charset=x"),
        ("application/pdf\n name=a.pdf", "application/pdf; name=a.pdf"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_a_content_type_is_written_as_the_library_takes_it(raw: str, plain: str) -> None:
    assert plain_type(raw) == plain


@pytest.mark.parametrize(
    "raw",
    [
        "Tue, 1 Jul 2003 10:52:37 +0200",
        "Tue, 1 Jul 2003 ((nested) comment) 10:52:37 +0200 (CEST)",
        "2003-07-01T10:52:37+02:00",
    ],
)
def test_a_date_is_read_with_comments_and_in_iso_form(raw: str) -> None:
    assert date_of(raw) == datetime(2003, 7, 1, 8, 52, 37, tzinfo=UTC)
