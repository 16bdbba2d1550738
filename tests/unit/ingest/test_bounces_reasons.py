"""Why a mail was not delivered, of what servers say; above all, whether its address is called dead."""

import pytest

from services.ingest.bounces import bounce_of
from services.ingest.bounces_reason import HARD, reason_of
from services.ingest.parsing import parse
from tests.unit.ingest.bounce_mails import notice, report

SAID = {
    "userunknown": (
        "550 bo is no longer with this company",
        "550 invalid email address: bo",
        "550 bo is not present in the directory",
        "550 <bo@gone.example> not found",
        "550 5.4.1 Recipient address rejected: Access denied. [mx.gone.example]",
        "553 badrcptto, sorry",
        "550 nobody: bad-recipient",
        "550 this is not an active address here",
        "550 Command RCPT User <bo@gone.example> not OK",
        "550 bo was not found in LDAP",
        "550 Empfänger unbekannt",
        "550 Utilisateur inconnu chez nous",
        "550 cuenta inexistente",
        "550 utente sconosciuto",
        "550 caixa postal inexistente",
        "550 gebruiker onbekend",
        "550 nie ma takiego adresata",
        "550 получатель не найден",
        "550 收件人不存在",
        "550 宛先が見つかりません",
        "550 수신자를 찾을 수 없습니다",
    ),
    "hostunknown": (
        "550 the recipient domain must exist",
        "DNS lookup failure: host gone.example not found",
        "550 domain gone.example does not exist",
    ),
    "hasmoved": (
        "550 I have changed my email address",
        "550 please use our new address",
        "551 User not local; please try <bo@new.example>",
    ),
    "notaccept": ("556 5.1.10 Recipient domain has a null MX",),
    "mailboxfull": (
        "552 unable to receive any more mail",
        "552 there are too many messages in his mailbox",
        "552 Account(s) <bo@full.example> does not have enough space",
        "552 Speicher des Kontos erschöpft",
        "550 La boîte est pleine",
        "550 el buzón está lleno",
        "550 casella piena",
        "550 skrzynka pełna",
        "550 ящик получателя переполнен",
        "550 信箱已满",
    ),
    "suspend": (
        "550 bo is no longer accepting messages",
        "550 mail reception disabled",
        "550 closed due to inactivity",
        "551 <bo@off.example> is a deactivated mailbox",
        "550 account expired",
        "550 mailbox has been blocked",
        "550 Konto ist gesperrt",
        "550 cuenta suspendida",
    ),
    "mesgtoobig": ("552 Exceeded maximum inbound size", "552 message file too big", "552 Nachricht zu groß"),
    "spamdetected": (
        "554 stopped by our content filter",
        "554 5.7.1 Message rejected as bulk mail",
        "550 Mail score 9 is too high",
        "554 rejected due to spam classification; set up SPF records",
    ),
    "norelaying": (
        "554 Relay access denied",
        "550 we are not a mail gateway",
        "553 that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "550 relaying to <bo@x.example> prohibited by administrator",
        "550 not an open relay",
    ),
    "rejected": (
        "554 your address has not been verified",
        "450 Sender address rejected: Domain not found",
        "550 Unroutable sender address",
        "550 5.1.7 no such domain us.example",
    ),
    "filtered": (
        "554 stopped by a user-defined rule",
        "550 5.1.1 Refused due to recipient preferences",
        "550 the recipient is not accepting messages from unknown senders",
        "550 5.1.2 User rejects it",
    ),
    "blocked": ("550 not accepting mail from your IP", "550 rejecting open proxy"),
    "badreputation": ("451 4.7.650 rate limited due to IP reputation",),
    "virusdetected": ("554 the content filter found a virus",),
    "policyviolation": (
        "554 forbidden attachment",
        "550 they are not accepting mail with attachments",
    ),
    "networkerror": (
        "554 loop detected",
        "554 the message was forwarded more often than we allow",
        "450 4.4.3 Deferred: name server: gone.example: host name lookup failure",
        "450 4.1.2 unknown host for now",
        "421 connection reset by peer",
    ),
    "systemerror": ("450 4.1.1 unverified address: verification in progress", "451 queue file write error"),
    "syntaxerror": ("504 Command parameter not implemented",),
}


@pytest.mark.parametrize(("reason", "said"), [(reason, one) for reason, all_ in SAID.items() for one in all_])
def test_the_words_of_a_server_tell_the_reason(reason: str, said: str) -> None:
    told = report(
        "Final-Recipient: rfc822; bo@gone.example\nAction: failed\nStatus: 5.0.0\n"
        f"Diagnostic-Code: smtp; {said}\n"
    )
    found = bounce_of(parse(told))

    assert (found.reason, found.hard) == (reason, reason in HARD)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("5.1.8", "550 5.1.8 Domain of sender address us.example does not exist"),
        ("5.1.1", "550 5.1.1 sender verify failed: user unknown"),
        ("5.1.2", "550 user refuses mail"),
        ("4.4.7", "name server: gone.example: host name lookup failure"),
        ("5.0.0", "550 an undisclosed address said nothing"),
        ("5.0.0", "550 error desconocido"),
        ("5.0.0", "550 unbekannter Fehler"),
        ("5.0.0", "550 errore sconosciuto"),
        ("5.0.0", "550 onbekende fout"),
        ("5.0.0", "550 неизвестная ошибка"),
        ("5.0.0", "550 bilinmeyen hata"),
    ],
)
def test_no_address_is_called_dead_for_its_sender_its_owner_s_choice_or_a_passing_fault(
    status: str, said: str
) -> None:
    assert reason_of(status, said) not in HARD


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "<bo@gone.example>: host mx said: 550 Unknown user (in reply to end of\n    DATA command)",
            "filtered",
        ),
        ("<bo@gone.example>: host mx said: 550 Unknown user (in reply to RCPT TO command)", "userunknown"),
        ("<bo@gone.example>:\n>>> DATA\n<<< 550 Unknown user\n<<< 503 Need RCPT (recipient)", "userunknown"),
        ("<bo@gone.example>: 550 5.1.1 Unknown user (in reply to end of DATA command)", "userunknown"),
    ],
)
def test_a_server_that_knows_the_mail_before_it_says_no_judged_the_mail(said: str, reason: str) -> None:
    assert bounce_of(parse(notice(f"It could not be delivered.\n\n{said}\n"))).reason == reason
