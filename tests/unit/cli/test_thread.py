"""`ombud thread`: which mails of a conversation are on one ticket, by intake itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Ombud

ADA, BOB, DESK = "ada@example.org", "bob@example.net", "help@desk.example"


def incoming(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": key, "direction": "in", "from": ADA, "to": DESK, "subject": "Printer", **fields}


def letter(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": key, "direction": "out", "from": DESK, "to": ADA, **fields}


def case(*messages: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"id": "one", "settings": settings, "messages": list(messages)}


def threaded(ombud: Ombud, *cases: dict[str, Any], mails: Path = Path()) -> list[dict[str, Any]]:
    given = "\n".join(map(json.dumps, cases)).encode()
    done = ombud("thread", "--mails", str(mails), stdin=given)
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def tickets(ombud: Ombud, *messages: dict[str, Any], **settings: Any) -> dict[str, str | None]:
    (told,) = threaded(ombud, case(*messages, **settings))
    found: dict[str, str | None] = told["tickets"]
    return found


def test_an_answer_is_on_the_ticket_of_the_mail_it_answers(ombud: Ombud) -> None:
    first = incoming("first", message_id="<1@a>")
    answer = incoming("answer", message_id="<2@a>", in_reply_to="<1@a>")
    other = incoming("other", message_id="<3@a>")

    assert tickets(ombud, first, answer, other) == {"first": "T1", "answer": "T1", "other": "T2"}


def test_an_answer_that_comes_first_is_on_the_ticket_too(ombud: Ombud) -> None:
    answer = incoming("answer", message_id="<2@a>", references="<1@a>")

    assert tickets(ombud, answer, incoming("first", message_id="<1@a>")) == {"answer": "T1", "first": "T1"}


def test_the_same_mail_again_is_on_no_ticket(ombud: Ombud) -> None:
    assert tickets(ombud, incoming("a", message_id="<1@a>"), incoming("b", message_id="<1@a>")) == {
        "a": "T1",
        "b": None,
    }


def test_the_answer_to_a_letter_is_on_its_ticket(ombud: Ombud) -> None:
    ours = letter("ours", message_id="<9@desk>", ticket="X")
    answer = incoming("answer", message_id="<2@a>", in_reply_to="<9@desk>")

    assert tickets(ombud, ours, answer) == {"ours": "T1", "answer": "T1"}


def test_a_stranger_who_answers_a_letter_of_ours_is_on_its_ticket(ombud: Ombud) -> None:
    ours = letter("ours", message_id="<9@desk>", ticket="X")
    answer = incoming("answer", message_id="<2@a>", in_reply_to="<9@desk>", **{"from": BOB})

    assert tickets(ombud, ours, answer) == {"ours": "T1", "answer": "T1"}


def test_a_letter_on_a_mails_ticket_is_named_by_the_label_of_the_case(ombud: Ombud) -> None:
    first, second = (
        incoming("a", message_id="<1@a>", ticket="X"),
        incoming("b", message_id="<2@a>", ticket="Y"),
    )
    ours = letter("ours", message_id="<9@desk>", ticket="Y")

    assert tickets(ombud, first, second, ours) == {"a": "T1", "b": "T2", "ours": "T2"}


def test_a_reference_in_the_subject_counts_under_the_setting_of_that_name(ombud: Ombud) -> None:
    ours = letter("ours", message_id="<9@desk>", ticket_number="31001")
    asks = incoming("asks", subject="About [Ticket#31001]", message_id="<2@a>")

    assert tickets(ombud, ours, asks) == {"ours": "T1", "asks": "T1"}
    assert tickets(ombud, ours, asks, subject_reference="off") == {"ours": "T1", "asks": "T2"}


def test_the_reference_is_known_by_the_hook_that_the_case_sets(ombud: Ombud) -> None:
    ours = letter("ours", ticket_number="31001")
    asks = incoming("asks", subject="About Case:31001", message_id="<2@a>")

    assert tickets(ombud, ours, asks) == {"ours": "T1", "asks": "T2"}
    assert tickets(ombud, ours, asks, ticket_hook="Case:") == {"ours": "T1", "asks": "T1"}


def test_an_answer_to_a_closed_ticket_reopens_it(ombud: Ombud) -> None:
    ours = letter("ours", message_id="<9@desk>", ticket_state="closed")

    assert tickets(ombud, ours, incoming("a", in_reply_to="<9@desk>")) == {"ours": "T1", "a": "T1"}


@pytest.mark.parametrize(
    ("setting", "value", "joins"),
    [
        ("postmaster_follow_up_search_in", "body+references", True),
        ("postmaster_follow_up_search_in", "attachment", False),
        ("postmaster_follow_up_search_in", None, False),
        ("reference_in", ["body"], True),
    ],
)
def test_settings_of_another_product_are_read_in_our_terms(
    ombud: Ombud, setting: str, value: Any, joins: bool
) -> None:
    ours = letter("ours", message_id="<9@desk>", ticket_number="31001")
    asks = incoming("asks", subject="Hm", body="See Ticket#31001", message_id="<2@a>")

    assert tickets(ombud, ours, asks, **{setting: value})["asks"] == ("T1" if joins else "T2")


@pytest.mark.parametrize(
    ("state", "label"), [("closed", "T2"), ("merged", "T2"), ("removed", "T2"), ("open", "T1")]
)
def test_a_number_follows_up_on_open_tickets_alone_under_the_setting_of_that_name(
    ombud: Ombud, state: str, label: str
) -> None:
    ours = letter("ours", ticket_number="31001", ticket_state=state)
    asks = incoming("asks", subject="[Ticket#31001]", **{"from": BOB})

    assert tickets(ombud, ours, asks, follow_up_possible="new_ticket")["asks"] == label


def test_an_out_of_office_to_nothing_is_on_no_ticket_under_the_setting_of_that_name(ombud: Ombud) -> None:
    away = incoming("away", subject="Out of office", headers={"Auto-Submitted": "auto-replied"})

    assert tickets(ombud, away, auto_reply_without_ticket="dropped") == {"away": None}
    assert tickets(ombud, away) == {"away": "T1"}


def test_a_setting_that_ombud_does_not_have_is_named(ombud: Ombud) -> None:
    (told,) = threaded(ombud, case(incoming("a"), subject_reference="off", phase_of_the_moon="full"))

    assert told == {"id": "one", "tickets": {"a": "T1"}, "unknown_settings": ["phase_of_the_moon"]}


def test_each_case_is_taken_in_by_itself(ombud: Ombud) -> None:
    told = threaded(ombud, case(incoming("a", message_id="<1@a>")), case(incoming("b", in_reply_to="<1@a>")))

    assert [one["tickets"] for one in told] == [{"a": "T1"}, {"b": "T1"}]


def test_a_raw_mail_is_read_from_the_folder_with_the_ids_that_the_case_gives(
    ombud: Ombud, tmp_path: Path
) -> None:
    (tmp_path / "raw.eml").write_bytes(
        b"From: Ada <ada@example.org>\r\nMessage-ID: <7@a>\r\nReferences: <old@a>\r\n <older@a>\r\n\r\nHi\r\n"
    )
    first = {"key": "first", "direction": "in", "message_id": "<1@a>"}
    mail = {"key": "raw", "direction": "in", "eml": "raw.eml"}
    changed = {**mail, "references": "<1@a>"}

    (as_it_is, as_changed) = threaded(ombud, case(first, mail), case(first, changed), mails=tmp_path)

    assert as_it_is["tickets"] == {"first": "T1", "raw": "T2"}
    assert as_changed["tickets"] == {"first": "T1", "raw": "T1"}


def test_parts_and_headers_of_a_mail_are_written_as_the_case_says(ombud: Ombud) -> None:
    file = {"filename": "a.txt", "content_type": "text/plain", "content": "Ticket#1"}
    rich = incoming("rich", html="<p>Hi</p>", attachments=[file], headers={"X-Loop": "x"}, message_id="<1@a>")

    assert tickets(ombud, rich, incoming("b", references="<1@a>")) == {"rich": "T1", "b": "T1"}


def test_a_mail_from_an_address_that_our_letters_are_answered_to_goes_round_and_is_on_no_ticket(
    ombud: Ombud,
) -> None:
    tagged = "help+0123456789abcdef0123@desk.example"

    assert tickets(ombud, incoming("a", **{"from": tagged})) == {"a": None}


def test_an_answer_to_the_reply_address_of_a_letter_is_written_to_the_signed_one(ombud: Ombud) -> None:
    tagged = "help+0123456789abcdef0123@desk.example"
    ours = letter("ours", message_id="<9@desk>", reply_to=tagged)

    answered = tickets(ombud, ours, incoming("a", to=tagged, message_id="<2@a>"))

    assert answered == {"ours": "T1", "a": "T1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"not json", "line 1: this is no case of threading"),
        (b'\n{"id": "x"}', "line 2: this is no case of threading: messages: Field required"),
        (b'{"id": "x", "messages": [{"key": "a", "direction": "in", "eml": "gone.eml"}]}', "cannot read"),
    ],
)
def test_what_is_no_case_is_told_in_one_line(ombud: Ombud, given: bytes, said: str) -> None:
    done = ombud("thread", stdin=given)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("ombud: ")
    assert said in done.err
    assert done.err.count("\n") == 1
