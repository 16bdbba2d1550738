"""What `ombud explain` says of a mail."""

import json

from services.ingest.explain import explain, explain_apart
from services.ingest.parse_workers import ParseWorkers
from services.ingest.settings import Limits
from tests.unit.ingest.mails import answer, mail


def test_a_mail_is_told_field_by_field() -> None:
    told = explain(answer("two@x", "one@x", sender="Ada <ada@example.org>"), "a.eml")

    assert told["ok"] is True
    assert told["file"] == "a.eml"
    assert told["message_id"] == "two@x"
    assert told["in_reply_to"] == "one@x"
    assert told["from"] == {"name": "Ada", "address": "ada@example.org"}
    assert told["body_text"] == "It burns.\nPlease help."
    assert told["kind"] == "message"
    assert told["may_auto_respond"] is True
    json.dumps(told)


def test_a_mail_that_would_be_quarantined_is_not_ok_and_says_why() -> None:
    told = explain(mail(body="x" * 5000), "big.eml", Limits(mail_bytes=2000))

    assert told["ok"] is False
    assert "mail_bytes" in told["error"]


def test_every_name_is_always_there() -> None:
    assert list(explain(mail(), "a")) == list(explain(mail(), "b", Limits(headers=10, head_bytes=1024)))
    assert set(explain(b"", "empty")) == set(explain(mail(body="x" * 5000), "big", Limits(mail_bytes=2000)))


def test_a_bounce_is_called_one() -> None:
    told = explain(mail(headers={"Content-Type": "multipart/report; report-type=delivery-status"}), "b.eml")

    assert (told["is_bounce"], told["is_auto_generated"], told["is_auto_reply"]) == (True, True, False)


def test_the_date_is_told_in_the_zone_of_the_sender() -> None:
    assert explain(mail(), "a.eml")["date"] == "2026-09-01T09:59:58+02:00"
    assert explain(mail(headers={"Date": "some day"}), "a.eml")["date"] is None
    assert explain(mail(headers={"Date": ""}), "a.eml")["date"] is None


def test_a_sender_that_is_named_beside_the_author_is_told_as_a_person() -> None:
    told = explain(mail(headers={"Sender": "The Desk <Desk@Example.org>"}), "a.eml")

    assert told["sender"] == {"name": "The Desk", "address": "desk@example.org"}
    assert explain(mail(), "a.eml")["sender"] is None


def test_what_a_server_that_we_believe_says_of_the_sender_is_told() -> None:
    raw = mail(headers={"Authentication-Results": "mx.example.com; spf=pass; dmarc=fail"})

    assert explain(raw, "a.eml")["authentication"] is None
    assert explain(raw, "a.eml", authserv_ids=["mx.other.example"])["authentication"] is None
    assert explain(raw, "a.eml", authserv_ids=["mx.other.example", "mx.example.com"])["authentication"] == {
        "by": "mx.example.com",
        "said": "failed",
        "reason": "mx.example.com says that it fails the DMARC policy of example.org",
        "methods": {"spf": "pass", "dmarc": "fail"},
    }


async def test_what_may_take_long_is_read_by_a_process_that_is_used_again_and_told_the_same() -> None:
    limits, large = Limits(), mail(body="word " * 100_000)
    workers = ParseWorkers(limits, 1)
    try:
        light = await explain_apart(workers, mail(), "a.eml", limits)
        before = workers.idle
        first = await explain_apart(workers, large, "b.eml", limits)
        process = workers.idle
        again = await explain_apart(workers, large, "b.eml", limits)

        assert (before, len(process), workers.idle) == ([], 1, process)
    finally:
        await workers.close()
    assert light == explain(mail(), "a.eml", limits)
    assert first == again == explain(large, "b.eml", limits)


async def test_a_mail_that_is_given_up_is_not_ok_and_says_why() -> None:
    limits = Limits(parse_seconds=0.0005)
    workers = ParseWorkers(limits, 1)
    try:
        told = await explain_apart(workers, mail(body="word " * 100_000), "bomb.eml", limits)
    finally:
        await workers.close()

    assert (told["ok"], told["file"]) == (False, "bomb.eml")
    assert "parse_seconds" in told["error"]
