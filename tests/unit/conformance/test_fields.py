"""The mapping of the corpora's fields: what is derived from `explain`, compared, and left uncounted."""

from pathlib import Path
from typing import Any

import pytest

from services.ingest.explain import explain
from tests.conformance.cases import Case, Check
from tests.conformance.fields import Told, informative, judged
from tests.conformance.groups import group_of

MAIL = b"""\
From: Ada Lovelace <ada@example.org>
To: support@example.com, Bob <bob@example.net>
Subject: A file
Message-ID: <one@example.org>
In-Reply-To: <zero@example.org>
References: <first@example.org> <zero@example.org>
Date: Tue, 01 Sep 2026 09:59:58 +0200
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Here it is.
--b
Content-Type: text/csv
Content-Disposition: attachment; filename="a.csv"

1,2
--b
Content-Type: image/png
Content-ID: <dot@example.org>
Content-Disposition: inline
Content-Transfer-Encoding: base64

iVBORw==
--b--
"""


@pytest.fixture(scope="module")
def told() -> Told:
    return {**explain(MAIL, "mail.eml"), "seconds": 0.25}


def case(*checks: Check) -> Case:
    return Case("corpus", "one", Path("one.eml"), checks)


def equals(field: str, value: Any) -> Check:
    return Check(field, "equals", value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parse_ok", True),
        ("from", ["ada@example.org"]),
        ("from_name", "Ada Lovelace"),
        ("to", ["support@example.com", "bob@example.net"]),
        ("date", "2026-09-01T07:59:58+00:00"),
        ("date", "2026-09-01T09:59:58+02:00"),
        ("in_reply_to", "zero@example.org"),
        ("attachments_count", 2),
        ("attachments_count_min", 1),
        ("attachments_count_noninline", 1),
        ("attachment_names_first", "a.csv"),
        ("attachment_types", ["text/csv", "image/png"]),
        ("inline_cids", "dot@example.org"),
        ("seconds_max", 1),
        ("may_send_auto_response", True),
        ("reopens_closed_ticket", True),
        ("is_own_loop", False),
        ("bounce_hard", None),
        ("bounce_recipient_count", 0),
        ("kind", "not_bounce"),
        ("quotes_removed_text", "Here it is."),
    ],
)
def test_a_field_is_derived_from_what_explain_tells(told: Told, field: str, value: Any) -> None:
    op = "equals_stripped" if isinstance(value, str) and field.endswith("_text") else "equals"

    got, right = judged(Check(field, op, value), told)

    assert right, got


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parse_ok", False),
        ("from", "bob@example.net"),
        ("date", "2026-09-01T09:59:58+00:00"),
        ("attachments_count_min", 3),
        ("attachments_count_noninline", 2),
        ("seconds_max", 0),
        ("kind", "bounce"),
        ("bounce_recipients", ["ada@example.org"]),
        ("bounce_statuses", ["5.1.1"]),
    ],
)
def test_a_wrong_expectation_of_a_derived_field_is_wrong(told: Told, field: str, value: Any) -> None:
    assert not judged(equals(field, value), told)[1]


def test_a_bounce_is_compared_by_its_recipients_in_any_order_and_its_codes_without_empty_ones(
    told: Told,
) -> None:
    bounce = {
        "hard": True,
        "recipients": ["B@example.org", "a@example.org"],
        "statuses": ["5.1.1", "5.2.2"],
        "reply_codes": ["550"],
        "reason": "userunknown",
    }
    bounced = {**told, "kind": "bounce", "bounce": bounce}

    assert judged(equals("bounce_recipients", ["a@example.org", "b@example.org"]), bounced)[1]
    assert judged(equals("bounce_recipient_count", 2), bounced)[1]
    assert judged(equals("bounce_statuses", ["5.2.2", "5.1.1"]), bounced)[1]
    assert judged(equals("bounce_reply_codes", ["550", ""]), bounced)[1]
    assert judged(equals("bounce_reasons", ["userunknown", "userunknown"]), bounced)[1]
    assert judged(equals("bounce_hard", True), bounced)[1]
    assert not judged(equals("bounce_reply_codes", ["550", "552"]), bounced)[1]
    assert not judged(equals("bounce_hard", False), bounced)[1]


@pytest.mark.parametrize(
    ("expected", "got", "right"),
    [
        ("vacation", "out_of_office", True),
        ("vacation", "auto_reply", True),
        ("vacation", "message", False),
        ("bounce", "delivery_delay", True),
        ("bounce", "auto_reply", False),
        ("not_bounce", "message", True),
        ("not_bounce", "delivery_delay", False),
        ("feedback_report", "feedback_report", True),
        ("feedback_report", "bounce", False),
    ],
)
def test_kinds_of_other_libraries_are_told_in_ours(told: Told, expected: str, got: str, right: bool) -> None:
    assert judged(equals("kind", expected), {**told, "kind": got})[1] is right


def test_an_automatic_mail_reopens_no_ticket(told: Told) -> None:
    automatic = {**told, "is_auto_generated": True}

    assert judged(equals("reopens_closed_ticket", False), automatic)[1]


def test_the_inner_mail_of_a_forward_names_its_sender_in_one_line(told: Told) -> None:
    inner = {
        "from": {"name": "Bob", "address": "bob@example.net"},
        "subject": "Hi",
        "date": "1 May",
        "text": "",
    }
    forward = {**told, "forwarded": inner}

    assert judged(Check("wrapped_from", "equals_nows", "Bob <bob@example.net>"), forward)[1]
    assert judged(Check("wrapped_date", "equals_nows", "1May"), forward)[1]
    assert judged(Check("wrapped_text", "equals_nows", ""), forward)[1]
    assert not judged(Check("wrapped_subject", "equals_nows", "Hello"), forward)[1]
    assert judged(Check("wrapped_subject", "equals_nows", ""), told)[1]


def test_a_name_that_another_library_made_up_is_not_asked_of_us(told: Told) -> None:
    theirs = [
        {"name": "a.csv", "content_id": "", "content_type": "text/csv", "disposition": "attachment"},
        {
            "name": "attachment.png",
            "content_id": "dot@example.org",
            "content_type": "image/png",
            "disposition": "inline",
        },
    ]

    assert judged(equals("attachments", theirs), told)[1]
    assert not judged(equals("attachments", [{**theirs[0], "name": "b.csv"}, theirs[1]]), told)[1]
    assert not judged(equals("attachments", theirs[:1]), told)[1]


def test_a_field_that_nobody_has_mapped_is_an_error_and_no_answer(told: Told) -> None:
    with pytest.raises(KeyError):
        judged(equals("colour", "red"), told)


@pytest.mark.parametrize(
    "field", ["html_top", "quoted_html", "reply_count", "fragments", "attachments_count_jmap", "chatwoot_x"]
)
def test_another_librarys_own_notion_is_informative(field: str) -> None:
    check = equals(field, 1)

    assert informative(case(check), check)


@pytest.mark.parametrize("field", ["body_html", "reply_text", "attachments_count", "body_text_or_html"])
def test_what_explain_tells_is_counted(field: str) -> None:
    check = equals(field, 1)

    assert not informative(case(check), check)


def test_the_inner_mail_is_asked_of_forwards_alone() -> None:
    inner = equals("wrapped_from", "Bob")

    assert not informative(case(inner, equals("is_forward", True)), inner)
    assert informative(case(inner), inner)
    assert informative(case(inner, equals("is_forward", False)), inner)


@pytest.mark.parametrize(
    ("corpus", "field", "expected", "group"),
    [
        ("crisp_reply", "reply_text", "x", "reply text"),
        ("roundup", "reply_text", "x", "reply text elsewhere"),
        ("libredesk", "quotes_removed_text", "x", "reply text"),
        ("any", "is_bounce", True, "bounces recognised"),
        ("any", "is_bounce", False, "false bounces"),
        ("any", "kind", "bounce", "bounces recognised"),
        ("any", "kind", "vacation", "automatic mail"),
        ("any", "bounce_hard", True, "bounces hard or soft"),
        ("any", "bounce_statuses", [], "bounce codes and recipients"),
        ("any", "bounce_reasons", [], "bounce reasons"),
        ("any", "wrapped_text", "x", "forwards"),
        ("any", "subject", "x", "parse and bodies"),
    ],
)
def test_a_check_counts_in_the_group_that_the_gate_speaks_of(
    corpus: str, field: str, expected: Any, group: str
) -> None:
    assert group_of(corpus, field, expected) == group
