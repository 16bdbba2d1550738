"""Which ticket a mail belongs to."""

from datetime import timedelta

import pytest

from services.ingest.links import Link, Token, links_of, numbers_in
from services.ingest.parsing import parse
from services.ingest.thread import Decision, Known, Rules, Sender, decide
from shared.domain.cause import Cause
from shared.domain.ids import thread_id_for
from shared.domain.status import Status
from shared.domain.ticket import Contact, Participant, Ticket
from shared.stores.collections import ThreadId
from tests.unit.ingest.mails import RECEIVED, answer

CUSTOMER, COLLEAGUE, STRANGER = "ada@example.org", "bo@example.org", "eve@example.net"
RULES = Rules()
NO_ID = ["opened: no id of a ticket is known in it"]


def ticket(name: str = "tkt_1", number: int = 10_042) -> Ticket:
    return Ticket.open(
        name,
        number,
        mailbox="support",
        subject="Fire",
        channel="mail",
        customer=Contact(address=CUSTOMER),
        message_id="msg_1",
        may_auto_respond=True,
        cause=Cause(key="ingest:msg_1", actor="customer:ada@example.org", at=RECEIVED),
        participants=[Participant(address=COLLEAGUE, confirmed=True)],
    )


def known(one: Ticket | None, *, quoted: bool = True, ours: bool = False, written_to: str = "") -> Known:
    """A mail with one link, to this ticket or to one that does not exist yet."""
    link = Link("a@x", one.id if one else "tkt_new", quoted, ours)
    return Known([link], {one.id: one} if one else {}, [written_to])


def signed(one: Ticket, *, for_sender: bool) -> Known:
    """A mail that gives back what we signed for this ticket."""
    return Known(tickets={one.id: one}, tokens=[Token(one.id, for_sender, "our letter")])


def merged(name: str, into: str) -> Ticket:
    one = ticket(name)
    one.merged_into = into
    return one


def closed_since(days: int) -> Ticket:
    closed = ticket()
    closed.change_status(Status.CLOSED, Cause(key="x", actor="user:a", at=RECEIVED - timedelta(days=days)))
    return closed


def told(
    sender: str, about: Known, *, automatic: bool = False, believed: bool = True, rules: Rules = RULES
) -> Decision:
    return decide(Sender(sender, automatic, believed), RECEIVED, about, rules)


@pytest.mark.parametrize("sender", [CUSTOMER, COLLEAGUE])
def test_the_customer_and_a_confirmed_participant_join(sender: str) -> None:
    found = told(sender, known(ticket()))

    assert found == Decision("tkt_1", False, ["matched by In-Reply-To or References <a@x>"])


def test_a_stranger_who_only_quotes_an_id_opens_a_ticket_that_claims_to_belong() -> None:
    found = told(STRANGER, known(ticket()))

    assert (found.ticket_id, found.opens, found.claims_to_belong_to) == (None, True, "tkt_1")


def test_a_stranger_who_was_written_to_on_the_ticket_joins() -> None:
    assert told(STRANGER, known(ticket(), written_to="tkt_1")).ticket_id == "tkt_1"


def test_a_bounce_of_a_letter_of_ours_joins_whoever_sends_it() -> None:
    assert told("mailer-daemon@example.net", known(ticket(), ours=True), automatic=True).ticket_id == "tkt_1"


def test_an_automatic_mail_of_a_stranger_does_not_join_by_a_customer_s_id() -> None:
    assert told(STRANGER, known(ticket()), automatic=True).ticket_id is None


def test_a_person_who_is_a_stranger_does_not_join_by_a_letter_s_id_alone() -> None:
    assert told(STRANGER, known(ticket(), ours=True)).ticket_id is None


def test_a_ticket_that_was_claimed_but_not_opened_yet_is_opened_by_whoever_comes() -> None:
    found = told(STRANGER, known(None))

    assert (found.ticket_id, found.opens) == ("tkt_new", True)


def test_a_stranger_s_own_id_that_others_referred_to_claims_nothing() -> None:
    assert told(STRANGER, known(ticket(), quoted=False)) == Decision(None, True, NO_ID)


def test_the_newest_link_that_the_sender_takes_part_in_decides() -> None:
    theirs, other = ticket("tkt_1"), ticket("tkt_2", 10_043)
    other.customer_address, other.participants = "x@example.org", []
    links = [Link("new@x", "tkt_2", True, False), Link("old@x", "tkt_1", True, False)]

    assert told(CUSTOMER, Known(links, {"tkt_1": theirs, "tkt_2": other})).ticket_id == "tkt_1"


def test_what_we_signed_comes_before_any_other_id() -> None:
    theirs, other = ticket("tkt_1"), ticket("tkt_2", 10_043)
    links = [Link("a@x", "tkt_2", True, False)]
    about = Known(links, {"tkt_1": theirs, "tkt_2": other}, tokens=[Token("tkt_1", True, "our letter")])

    assert told(CUSTOMER, about).ticket_id == "tkt_1"


@pytest.mark.parametrize("for_sender", [True, False])
def test_a_stranger_joins_by_what_we_signed_and_has_no_rights(for_sender: bool) -> None:
    found = told(STRANGER, signed(ticket(), for_sender=for_sender))

    assert (found.ticket_id, found.verified) == ("tkt_1", True)
    assert found.reasons[-1] == "without rights: the sender is not a confirmed participant"


def test_what_we_signed_for_a_ticket_that_is_gone_decides_nothing() -> None:
    about = Known(tokens=[Token("tkt_gone", True, "our letter")])

    assert told(CUSTOMER, about) == Decision(None, True, NO_ID)


def test_who_is_not_believed_is_verified_by_what_was_signed_for_that_very_address() -> None:
    shown = told(CUSTOMER, signed(ticket(), for_sender=True), believed=False)
    another_s = told(CUSTOMER, signed(ticket(), for_sender=False), believed=False)

    assert (shown.ticket_id, shown.verified, shown.reasons) == ("tkt_1", True, ["matched by our letter"])
    assert (another_s.ticket_id, another_s.verified) == ("tkt_1", False)
    assert another_s.reasons[-1] == "without rights: the sender is not known to be who it says"


def test_what_was_signed_for_another_ticket_verifies_nobody_on_this_one() -> None:
    theirs, other = ticket("tkt_1"), ticket("tkt_2", 10_043)
    tokens = [Token("tkt_1", False, "our letter"), Token("tkt_2", True, "our letter")]

    found = told(CUSTOMER, Known(tickets={"tkt_1": theirs, "tkt_2": other}, tokens=tokens), believed=False)

    assert (found.ticket_id, found.verified) == ("tkt_1", False)


@pytest.mark.parametrize("sender", [CUSTOMER, COLLEAGUE, STRANGER])
@pytest.mark.parametrize("about", [known(ticket(), written_to="tkt_1"), Known(numbered=[ticket()])])
def test_who_is_not_believed_only_claims_by_what_anybody_can_write(sender: str, about: Known) -> None:
    found = told(sender, about, believed=False, rules=Rules(any_sender=True))

    assert (found.ticket_id, found.claims_to_belong_to, found.verified) == (None, "tkt_1", False)


def test_a_bounce_of_a_letter_joins_also_when_its_server_is_not_believed() -> None:
    daemon = "mailer-daemon@example.net"

    assert told(daemon, known(ticket(), ours=True), automatic=True, believed=False).ticket_id == "tkt_1"


def test_a_merged_ticket_stands_for_the_one_it_was_merged_into() -> None:
    first, second, third = merged("tkt_1", "tkt_2"), merged("tkt_2", "tkt_3"), ticket("tkt_3", 10_044)
    tickets = {one.id: one for one in (first, second, third)}
    ways = [
        Known(tickets=tickets, tokens=[Token("tkt_1", True, "our letter")]),
        Known([Link("a@x", "tkt_1", True, False)], tickets),
        Known(tickets=tickets, numbered=[first]),
    ]

    for about in ways:
        found = told(CUSTOMER, about)
        assert found.ticket_id == "tkt_3"
        assert found.reasons[0].endswith("; that ticket was merged into #10044")


def test_who_took_part_in_a_merged_ticket_is_no_stranger_in_the_other() -> None:
    other = ticket("tkt_2", 10_043)
    other.customer_address, other.participants = "x@example.org", []
    about = Known([Link("a@x", "tkt_1", True, False)], {"tkt_1": merged("tkt_1", "tkt_2"), "tkt_2": other})

    assert told(CUSTOMER, about).ticket_id == "tkt_2"
    assert told(STRANGER, about).claims_to_belong_to == "tkt_2"


@pytest.mark.parametrize("others", [["tkt_1"], ["tkt_2", "tkt_1"], ["tkt_2", "tkt_3", "tkt_2"], ["tkt_gone"]])
def test_merges_that_lead_round_in_a_circle_or_nowhere_are_not_followed(others: list[str]) -> None:
    names = ["tkt_1", *others]
    tickets = {here: merged(here, there) for here, there in zip(names, others, strict=False)}

    assert told(CUSTOMER, Known([Link("a@x", "tkt_1", True, False)], tickets)).ticket_id == "tkt_1"


def test_a_chain_of_merges_without_end_is_not_followed() -> None:
    tickets = {f"tkt_{number}": merged(f"tkt_{number}", f"tkt_{number + 1}") for number in range(100)}

    assert told(CUSTOMER, Known([Link("a@x", "tkt_0", True, False)], tickets)).ticket_id == "tkt_0"


def test_a_pending_participant_s_mail_to_a_ticket_closed_for_long_opens_one_that_claims_to_belong() -> None:
    """Nobody looks at a closed ticket, and it cannot reopen it."""
    found = told(STRANGER, signed(closed_since(days=15), for_sender=True))

    assert (found.opens, found.claims_to_belong_to, found.follow_up_of) == (True, "tkt_1", None)


def test_after_how_many_days_a_reply_opens_a_new_ticket_is_set() -> None:
    about = known(closed_since(days=15))

    assert told(CUSTOMER, about, rules=Rules(timedelta(days=16))).ticket_id == "tkt_1"
    assert told(CUSTOMER, about, rules=Rules(timedelta(days=14))).follow_up_of == "tkt_1"


def test_a_number_lets_strangers_in_as_pending_where_that_is_set() -> None:
    about = Known(numbered=[ticket()])
    found = told(STRANGER, about, rules=Rules(any_sender=True))

    assert (found.ticket_id, told(STRANGER, about).ticket_id) == ("tkt_1", None)
    assert found.reasons == [
        "matched by the number #10042 that it names, which any sender may",
        "without rights: the sender is not a confirmed participant",
    ]


def test_of_several_numbers_the_first_whose_ticket_the_sender_may_join_decides() -> None:
    foreign, own = ticket("tkt_2", 10_043), ticket()
    foreign.customer_address, foreign.participants = "x@example.org", []

    assert told(CUSTOMER, Known(numbered=[foreign, own])).ticket_id == "tkt_1"
    assert told(STRANGER, Known(numbered=[foreign, own])).claims_to_belong_to == "tkt_2"


@pytest.mark.parametrize(("days", "opens"), [(13, False), (15, True)])
def test_a_reply_to_a_ticket_closed_for_long_opens_one_that_follows_it_up(days: int, opens: bool) -> None:
    found = told(CUSTOMER, known(closed_since(days)))

    assert (found.opens, found.follow_up_of) == (opens, "tkt_1" if opens else None)


def test_an_automatic_reply_to_a_ticket_closed_for_long_is_noted_there() -> None:
    assert told(CUSTOMER, known(closed_since(days=99)), automatic=True).ticket_id == "tkt_1"


def test_a_number_in_the_subject_leads_a_participant_to_the_ticket() -> None:
    assert told(CUSTOMER, Known(numbered=[ticket()])).ticket_id == "tkt_1"


def test_a_number_in_the_subject_gives_a_stranger_no_more_than_a_claim() -> None:
    found = told(STRANGER, Known(numbered=[ticket()]))

    assert (found.ticket_id, found.claims_to_belong_to) == (None, "tkt_1")


def test_a_mail_that_nothing_is_known_of_opens_a_ticket() -> None:
    assert told(CUSTOMER, Known()) == Decision(None, True, NO_ID)


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        ("Re: [#10042] Fire", [10_042]),
        ("#10042", []),
        ("[#]", []),
        ("[#1] [#2] [#1]", [1, 2]),
        ("[#" + "9" * 99 + "]", []),
        ("".join(f"[#{number}]" for number in range(9)), [0, 1, 2, 3, 4]),
    ],
)
def test_only_numbers_in_brackets_name_tickets_and_only_a_few(subject: str, numbers: list[int]) -> None:
    assert numbers_in([subject]) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[Ticket#31001] x", [31_001]),
        ("about Ticket#31001, Case: 7", [31_001]),
        ("[#5] or Ticket#6", [5, 6]),
        ("Ticket#" + "9" * 13, []),
        ("Ticket31001", []),
    ],
)
def test_what_stands_before_a_number_may_be_set(text: str, numbers: list[int]) -> None:
    assert numbers_in([text], ["Ticket#", " "]) == numbers


def noted(message_id: str, ticket_id: str, *, carried: bool, message: str = "") -> dict[str, ThreadId]:
    name = thread_id_for(message_id)
    return {name: ThreadId(id=name, ticket_id=ticket_id, carried=carried, message=message)}


def test_links_are_the_known_ids_newest_first_and_say_which_are_ours() -> None:
    stored = noted("a@x", "tkt_1", carried=True) | noted("c@x", "tkt_2", carried=True, message="msg_c")
    links = links_of(parse(answer("d@x", "a@x", "b@x", "c@x")), ["c@x", "b@x", "a@x"], stored)

    assert links == [Link("c@x", "tkt_2", True, False), Link("a@x", "tkt_1", True, True)]


def test_the_own_id_is_a_link_while_only_answers_to_it_are_known() -> None:
    mail = parse(answer("d@x", "unknown@x"))

    assert links_of(mail, ["unknown@x"], noted("d@x", "tkt_1", carried=False)) == [
        Link("d@x", "tkt_1", False, False)
    ]
    assert links_of(mail, [], noted("d@x", "tkt_1", carried=True, message="msg_other")) == []


def other_subject(subject: str, *, sender: str = CUSTOMER, **kwargs: bool) -> Decision:
    """A mail that answers another person's on a ticket called Fire, where that opens a new one."""
    link = Link("a@x", "tkt_1", True, kwargs.pop("ours", False))
    about = Known([link], {"tkt_1": ticket()}, ["tkt_1"], subject=subject)
    return told(sender, about, rules=Rules(changed_subject_opens=True), **kwargs)


def test_an_answer_under_another_subject_opens_a_ticket_that_links_back_where_that_is_set() -> None:
    found = other_subject("Holidays")

    assert (found.ticket_id, found.opens, found.follow_up_of) == (None, True, "tkt_1")
    assert other_subject("Holidays", sender=STRANGER).claims_to_belong_to == "tkt_1"


@pytest.mark.parametrize("subject", ["Re: fire", "AW: AW: [#10042] Fire", "Fire (solved)", ""])
def test_an_answer_under_the_same_subject_joins_there(subject: str) -> None:
    assert other_subject(subject).ticket_id == "tkt_1"


def test_what_machines_answer_and_what_answers_us_joins_whatever_its_subject() -> None:
    assert other_subject("Out of office", automatic=True).ticket_id == "tkt_1"
    assert other_subject("Holidays", ours=True).ticket_id == "tkt_1"
    about = Known(
        tickets={"tkt_1": ticket()}, tokens=[Token("tkt_1", True, "our letter")], subject="Holidays"
    )
    assert told(CUSTOMER, about, rules=Rules(changed_subject_opens=True)).ticket_id == "tkt_1"
