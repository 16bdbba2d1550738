"""What is believed of what servers say of a mail's sender (RFC 8601)."""

import pytest

from services.ingest.authentication import LONGEST_FIELD, Authentication, Policy, Said, authenticate
from services.ingest.parsing import ParsedMail, parse
from tests.unit.ingest.mails import mail

OURS = "mx.example.com"
BY = "dkim=pass header.d=example.org"


def told(*fields: str, sender: str = "ada@example.org", authserv_id: str = OURS) -> Authentication:
    """What is known of a mail that bears these Authentication-Results, the topmost first."""
    return authenticate(bearing(*fields, sender=sender), authserv_id)


def bearing(*fields: str, sender: str = "ada@example.org") -> ParsedMail:
    lines = "".join(f"Authentication-Results: {field}\r\n" for field in fields)
    return parse(lines.encode() + mail(sender=sender))


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("mx.example.com; dmarc=pass header.from=example.org", Said.PASSED),
        (
            "mx.example.com 1; spf=fail smtp.mailfrom=x.y; dmarc=pass (p=reject) header.from=example.org",
            Said.PASSED,
        ),
        ("MX.example.com; DMARC=Pass Header.From=Example.ORG", Said.PASSED),
        ('"mx.example.com"; dmarc = pass header.from = "example.org"', Said.PASSED),
        ("(by us) mx.example.com; dmarc=pass", Said.PASSED),
        ("mx.example.com; dmarc=fail header.from=example.org; dkim=pass header.d=example.org", Said.FAILED),
        ("mx.example.com; dmarc=pass header.from=other.example", Said.FAILED),
        ("mx.example.com; dmarc=none; dkim=pass header.d=example.org", Said.PASSED),
        ("mx.example.com; dkim=pass header.i=@example.org", Said.PASSED),
        ("mx.example.com; spf=pass smtp.mailfrom=bounce@example.org", Said.PASSED),
        (
            "mx.example.com; dkim=pass header.d=other.example; spf=pass smtp.mailfrom=a@other.example",
            Said.UNKNOWN,
        ),
        ("mx.example.com; dkim=pass header.d=sub.example.org", Said.UNKNOWN),
        ("mx.example.com; dkim=pass header.d=org", Said.UNKNOWN),
        ("mx.example.com; dkim=pass header.d=badexample.org", Said.UNKNOWN),
        ("mx.example.com; dmarc=temperror; spf=softfail smtp.mailfrom=example.org", Said.UNKNOWN),
        ("mx.example.com; none", Said.UNKNOWN),
        ("mx.example.com", Said.UNKNOWN),
        ("", Said.UNKNOWN),
    ],
)
def test_dmarc_decides_and_else_a_signature_or_a_path_of_the_sender_s_domain(field: str, said: Said) -> None:
    assert told(field).said is said


def test_a_signature_of_a_domain_above_the_sender_s_counts() -> None:
    assert told(f"{OURS}; {BY}", sender="ada@mail.example.org").said is Said.PASSED


@pytest.mark.parametrize("name", ["mx.example.org", "mx.example.com.evil.example", "evil", "example.com"])
def test_what_another_server_says_is_not_believed(name: str) -> None:
    assert told(f"{name}; dmarc=pass").said is Said.UNKNOWN


def test_without_a_name_to_believe_nothing_is_believed() -> None:
    assert told("; dmarc=pass", f"{OURS}; dmarc=pass", authserv_id="").said is Said.UNKNOWN


def test_of_two_that_bear_the_name_the_topmost_decides_for_a_stranger_s_stands_below() -> None:
    assert told(f"{OURS}; dmarc=fail", f"{OURS}; dmarc=pass").said is Said.FAILED
    assert told("elsewhere; dmarc=pass", f"{OURS}; dmarc=fail", f"{OURS}; dmarc=pass").said is Said.FAILED


@pytest.mark.parametrize(
    "hidden",
    [
        "mx.example.com; dmarc=fail (a comment; dmarc=pass header.from=example.org)",
        "mx.example.com; spf=none (nested (comments); dmarc=pass) reason=x",
        'mx.example.com; spf=none ("quotes mean nothing here) ; dmarc=fail ("',
        'mx.example.com; dmarc=pass reason="of header.from=example.org" header.from=evil.example',
        'mx.example.com; dkim=pass reason="x; dmarc=pass header.d=example.org"',
        'mx.example.com; spf=pass smtp.mailfrom="x smtp.mailfrom=a@example.org"@evil.example',
        "mx.example.com; dmarc=pass (never closed",
        f"mx.example.com; dmarc=pass {'x' * LONGEST_FIELD}",
    ],
)
def test_what_a_sender_gets_into_comments_and_quotes_of_our_server_s_field_is_not_believed(
    hidden: str,
) -> None:
    assert told(hidden).said is not Said.PASSED


@pytest.mark.parametrize("sender", ["ada@example.org, eve@evil.example", "", "Ada"])
def test_a_from_that_does_not_name_one_sender_is_not_believed(sender: str) -> None:
    assert told(f"{OURS}; dmarc=pass", sender=sender).said is Said.FAILED
    assert told(sender=sender).said is Said.UNKNOWN


def test_two_from_fields_are_not_believed() -> None:
    raw = f"Authentication-Results: {OURS}; dmarc=pass\r\nFrom: eve@evil.example\r\n".encode() + mail()

    assert authenticate(parse(raw), OURS).said is Said.FAILED


def test_the_reason_and_every_method_s_result_are_told() -> None:
    found = told(f"{OURS}; spf=pass smtp.mailfrom=x.y; dkim=fail; dmarc=fail header.from=example.org")

    assert found.reason == "mx.example.com says that it fails the DMARC policy of example.org"
    assert found.methods == {"spf": "pass", "dkim": "fail", "dmarc": "fail"}


def test_whom_a_mailbox_believes() -> None:
    passed, failed, unknown = (Authentication(said, "", {}) for said in Said)

    assert Policy().believes(passed)
    assert not Policy().believes(failed)
    assert Policy().believes(unknown)
    assert not Policy(OURS, required=True).believes(unknown)
    assert Policy(OURS, required=True).believes(passed)


@pytest.mark.parametrize(
    "junk", ["(" * 9000, '"' * 9000, "\\" * 9001, "; =" * 4000, "mx.example.com;" + "a." * 7000]
)
def test_no_field_at_all_makes_it_fail(junk: str) -> None:
    assert told(junk).said is not Said.PASSED


EXCHANGE = (
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.org; dkim=pass (signature was verified)"
    " header.d=example.org;dmarc={} action=none header.from=example.org;compauth=pass reason=100"
)


@pytest.mark.parametrize(("result", "said"), [("pass", Said.PASSED), ("fail", Said.FAILED)])
def test_the_topmost_field_of_a_server_that_writes_no_name_is_believed_where_that_is_set(
    result: str, said: Said
) -> None:
    found = told(EXCHANGE.format(result), authserv_id="Unnamed")

    assert found.said is said
    assert found.reason.startswith("our server says")
    assert told(EXCHANGE.format(result)).said is Said.UNKNOWN


def test_the_first_result_of_a_field_without_a_name_counts() -> None:
    assert told("dmarc=fail header.from=example.org", authserv_id="unnamed").said is Said.FAILED
    assert told("dkim=pass header.d=example.org", authserv_id="unnamed").said is Said.PASSED


@pytest.mark.parametrize(
    "fields",
    [
        ["mx.evil.example; dmarc=pass header.from=example.org"],
        ["unnamed; dmarc=pass header.from=example.org"],
        ["mx.other.example; dmarc=none", EXCHANGE.format("pass")],
        [EXCHANGE.format("fail"), EXCHANGE.format("pass")],
        [],
    ],
)
def test_below_the_topmost_or_under_a_name_nothing_is_believed_of_a_server_without_one(
    fields: list[str],
) -> None:
    assert told(*fields, authserv_id="unnamed").said is not Said.PASSED
