"""Reading header fields."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.headers import Address, addresses, ids, own_id, text_of


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
        ("=?utf-8?q?How_are_you??=", "How are you?"),
        ("=?utf-8?q?Who?_Me?= =?utf-8?q?_and_you?=", "Who? Me and you"),
        ("=?utf-8?q?never closed =?utf-8?q?closed?=", "=?utf-8?q?never closed closed"),
        ("=?utf-8?B?R3LDvMOfZQA?=", "Grüße"),
        ("=?utf-8?B?R3LDvMOf Z?=", "Grüß"),
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
        ('"ada@home"@x.org', [('"ada@home"@x.org', "")]),
        ('Ada <"ada & bo"@x.org>', [('"ada & bo"@x.org', "Ada")]),
        ('"not bo@x.org: ask" ada@x.org', [("ada@x.org", "not bo@x.org: ask")]),
        ('"ada@x.org" ada@x.org', [("ada@x.org", "ada@x.org")]),
        ('"ada@x.org"', [("ada@x.org", "")]),
        ("Ada <@r.org,@s.org:ada@x.org>", [("ada@x.org", "Ada")]),
        ("<(by) @r.org , @[IPv6:::1] : ada@x.org>", [("ada@x.org", "by")]),
        ("Ada <ada@x.org.>", [("ada@x.org", "Ada")]),
        ("Ada <<ada@x.org>>", [("ada@x.org", "Ada")]),
        ('Ada \\"the first\\" <ada@x.org>', [("ada@x.org", 'Ada "the first')]),
        ("CORP\\ada <ada@x.org>", [("ada@x.org", "CORP\\ada")]),
        ("=?utf-8?q?M=C3=BCller, J?= <j@x.org>", [("j@x.org", "Müller, J")]),
        ("=?utf-8?q?Ada:_work?= <ada@x.org>, bo@x.org", [("ada@x.org", "Ada: work"), ("bo@x.org", "")]),
        ("=?utf-8?q?The_team?=: ada@x.org;", [("ada@x.org", "")]),
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
        ("Your message of Monday 17.a@x", ["17.a@x"]),
        ("ada@example.org's message of Monday", []),
        ("Message from ada@example.org", []),
        ("<a@\r\n x> <b@x>", ["a@x", "b@x"]),
        ('<"a b"@x>', ['"a b"@x']),
        ("<five or six or more words@x.org>", []),
        ("<a x@x.org>", ["ax@x.org"]),
        ("&lt;a@x&gt;", ["a@x"]),
        ("=?us-ascii?Q?=3Ca=40?=\r\n\t=?us-ascii?Q?x=2Eorg=3E?=", ["a@x.org"]),
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


# A parser of bytes keeps what is not ASCII as these surrogates, and gives no others.
BYTES_KEPT = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)


@given(st.text(st.characters(exclude_categories=["Cs"]) | BYTES_KEPT))
def test_no_field_body_is_too_strange_to_be_read(raw: str) -> None:
    text_of(raw).encode("utf-8")
    addresses(raw)
    ids(raw)
    own_id(raw)


@pytest.mark.parametrize(
    "bait",
    [
        *('"', '\\"', "(", "<", "=?a?q?", "a@", "a" * 10 + "@,", "=?utf-8?q?x?= ", "a", ": ", " 1"),
        *("=?a?q??", "<@", '"@', ", @a", "<a b@", "@["),
    ],
)
def test_hostile_fields_of_a_quarter_megabyte_are_read_within_a_second(bait: str) -> None:
    raw = bait * (256 * 1024 // len(bait))
    started = time.process_time()
    text_of(raw)
    addresses(raw)
    ids(raw)

    assert time.process_time() - started < 1.0
