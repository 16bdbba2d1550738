"""What intake keeps of what was written now, and of the mail in a forward."""

from tests.unit.ingest.desk import Helpdesk
from tests.unit.ingest.mails import mail

QUOTE = "On Tue, 1 Sep 2026 at 09:00, Support <support@example.com> wrote:\r\n> Is it on fire?\r\n> Yours\r\n"


async def test_a_reply_is_kept_beside_the_whole_text(helpdesk: Helpdesk) -> None:
    entry = await helpdesk.take(mail(subject="Re: fire", body=f"Yes, it burns.\r\n\r\n{QUOTE}"))
    message = await helpdesk.message_of(entry)
    assert message.said == message.reply_text == "Yes, it burns."
    assert "> Is it on fire?" in message.text
    assert any("are cut: quote" in reason for reason in message.reasons)


async def test_of_a_mail_without_quotes_no_reply_is_kept_apart(helpdesk: Helpdesk) -> None:
    message = await helpdesk.message_of(await helpdesk.take(mail(body="Yes, it burns.\r\n")))
    assert (message.reply_text, message.said, message.forwarded) == ("", "Yes, it burns.", None)


async def test_a_mail_that_is_all_quote_is_read_whole(helpdesk: Helpdesk) -> None:
    message = await helpdesk.message_of(await helpdesk.take(mail(subject="Re: fire", body=QUOTE)))
    assert message.said == message.text


async def test_a_forward_is_read_whole_and_offers_its_inner_sender(helpdesk: Helpdesk) -> None:
    inner = (
        "---------- Forwarded message ---------\r\nFrom: Bob <Bob@Example.net>\r\nDate: Tue, 1 Sep 2026\r\n"
        "Subject: Smoke\r\nTo: ada@example.org\r\n\r\nThere is smoke.\r\n"
    )
    entry = await helpdesk.take(mail(subject="Fwd: Smoke", body=f"For you.\r\n\r\n{inner}"))
    message, ticket = await helpdesk.message_of(entry), await helpdesk.ticket_of(entry)
    assert message.forwarded is not None
    assert message.forwarded.sender is not None
    assert (message.forwarded.sender.name, message.forwarded.sender.address) == ("Bob", "bob@example.net")
    assert (message.forwarded.subject, message.forwarded.date) == ("Smoke", "Tue, 1 Sep 2026")
    assert "There is smoke." in message.said
    assert ticket.customer.address == "ada@example.org"


async def test_a_large_mail_is_split_as_well(helpdesk: Helpdesk) -> None:
    body = "It burns and burns and burns.\r\n" * 12_000 + f"\r\n{QUOTE}"
    message = await helpdesk.message_of(await helpdesk.take(mail(subject="Re: fire", body=body)))
    assert message.reply_text.endswith("burns.")
    assert "Is it on fire?" not in message.reply_text
