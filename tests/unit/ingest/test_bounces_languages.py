"""Notices in many languages, what persons write about notices, and automatic answers without headers."""

import pytest

from services.ingest.bounces import bounce_of, outcome_of
from services.ingest.parsing import ParsedMail, parse
from services.ingest.recognise import Kind, recognise

ANSWER = "550 5.1.1 <bo@gone.example>: user unknown"
NOTICES = {
    "de": ("Nicht zustellbar: Lampe", "Fehler bei der Nachrichtenzustellung an diese Empfänger:"),
    "pt": ("Não é possível entregar: Lâmpada", "Falha na entrega para estes destinatários:"),
    "pl": ("Niedostarczalne: Lampa", "Nie można dostarczyć wiadomości do:"),
    "sv": ("Går inte att leverera: Lampa", "Det gick inte att leverera till:"),
    "da": ("Kan ikke leveres: Lampe", "Meddelelsen kunne ikke leveres til:"),
    "fi": ("Toimitus epäonnistui: Lamppu", "Viestiä ei voitu toimittaa:"),
    "tr": ("Teslim edilemedi: Lamba", "İletiniz teslim edilemedi:"),
    "cs": ("Nedoručitelné: Lampa", "Zprávu se nepodařilo doručit:"),
    "hu": ("Kézbesíthetetlen: Lámpa", "Az üzenetet nem sikerült kézbesíteni:"),
    "el": ("Δεν είναι δυνατή η παράδοση: Λάμπα", "Δεν ήταν δυνατή η παράδοση στους:"),
    "zh": ("无法传递: 灯", "未能传递到以下收件人或组:"),
    "zh-tw": ("無法傳遞的主旨: 燈", "傳遞到這些收件者失敗:"),
    "ko": ("배달되지 않음: 램프", "다음 받는 사람에게 배달할 수 없습니다:"),
    "ro": ("Nelivrat: Lampa", "Mesajul nu a putut fi livrat:"),
    "de-2": ("Ihre Nachricht kam nicht an", "Wir konnten Ihre Nachricht an diese Empfänger nicht zustellen:"),
    "en": ("Your mail did not arrive", "Sorry, we couldn't deliver your mail to these people:"),
    "fr": ("Votre lettre", "Nous n'avons hélas pas pu remettre votre message à :"),
    "es": ("Su carta", "No hemos podido entregar su mensaje a:"),
    "nl": ("Uw brief", "Wij konden uw bericht niet bezorgen bij:"),
    "pl-2": ("Twój list", "Wiadomość nie mogła zostać doręczona do:"),
    "zh-2": ("你的邮件没有送达", "我们无法把邮件投递给:"),
    "vi": ("Không gửi được: Đèn", "Không thể gửi thư đến:"),
}
AWAY = (
    "Automatiskt svar: Lampa",
    "Automaatvastus: Lamp",
    "الرد التلقائي: مصباح",
    "Poza biurem: Lampa",
    "Poissa toimistosta: Lamppu",
    "Házon kívül: Lámpa",
    "İzindeyim",
    "Ich bin im Urlaub",
    "Я в отпуске",
    "不在办公室: 灯",
    "부재중: 램프",
    "[Out of Office] Lamp",
    "Lampe (Abwesenheitsnotiz)",
)
PERSONS = (
    "Auto: Bremsen defekt",
    "Urlaub buchen",
    "Out of office chairs?",
    "Absence of light",
    "Semester start",
)


def mail(subject: str, text: str, sender: str = "postmaster@mx.example") -> ParsedMail:
    head = f"From: {sender}\nTo: desk@us.example\nSubject: {subject}\nMessage-ID: <1@mx.example>\n"
    return parse(f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}\n".encode())


def kind(given: ParsedMail) -> Kind:
    return recognise(given, (), b"s" * 32).kind


@pytest.mark.parametrize(("subject", "words"), NOTICES.values(), ids=NOTICES)
def test_a_notice_is_known_by_its_words_in_any_of_these_languages(subject: str, words: str) -> None:
    found = mail(subject, f"{words}\n\nbo@gone.example\n")

    assert kind(found) is Kind.BOUNCE
    assert bounce_of(found).recipients == ["bo@gone.example"]


def test_a_notice_in_a_language_that_nobody_knows_is_known_by_the_server_s_answer() -> None:
    found = mail("Wgwrk: fmlk", f"Fmlk grmbl wgwrk.\n\nbo@gone.example\n{ANSWER}\n")
    told = bounce_of(found)

    assert kind(found) is Kind.BOUNCE
    assert (told.recipients, told.statuses, told.reply_codes) == (["bo@gone.example"], ["5.1.1"], ["550"])
    assert kind(mail("Wgwrk: fmlk", "Fmlk grmbl wgwrk.\n\nbo@gone.example\n")) is not Kind.BOUNCE


def test_a_person_whose_subject_is_that_of_a_mail_system_wrote_no_notice() -> None:
    text = "Hello, your app says so since Monday. What shall I do?"

    assert kind(mail("Mail delivery failed", text, "Ann Light <ann@mail.example>")) is Kind.MESSAGE


def test_a_recipient_without_a_domain_is_of_the_domain_that_tells_of_it() -> None:
    found = mail("Undeliverable", "It was undeliverable to the following:\n\n\tbo (account is expired)\n")
    told = bounce_of(found)

    assert (told.recipients, told.reason) == (["bo@mx.example"], "suspend")


@pytest.mark.parametrize("name", ["X-Original-Message-ID", "X-CM-Original-Message-ID"])
def test_the_mail_that_came_back_is_named_by_a_header_of_any_maker(name: str) -> None:
    head = f"From: postmaster@mx.example\n{name}: <let_1@us.example>\nSubject: Undeliverable\n\n"

    assert (
        bounce_of(parse(f"{head}bo@gone.example: 550 no".encode())).original_message_id == "let_1@us.example"
    )


@pytest.mark.parametrize("sender", ["Ann Light <ann@mail.example>", "ann@mail.example"])
@pytest.mark.parametrize("subject", ["Undelivered Mail Returned to Sender", "Wgwrk"])
def test_a_person_who_quotes_a_notice_wrote_no_notice(sender: str, subject: str) -> None:
    text = f"Hi, why did I get this?\n\n> Your mail could not be delivered to <bo@gone.example>:\n> {ANSWER}"

    assert kind(mail(subject, text, sender)) is Kind.MESSAGE


def test_a_notice_of_a_delay_says_what_will_come_and_is_one_of_a_delay() -> None:
    text = (
        "There was a temporary problem delivering your mail to bo@gone.example. We will retry for 40 more"
        " hours, and tell you if the delivery fails permanently.\n\n421 4.4.1 connection timed out\n"
    )
    found = mail("Delivery Status Notification (Delay)", text, "mailer-daemon@mx.example")

    assert kind(found) is Kind.DELIVERY_DELAY
    assert bounce_of(found).hard is False


def test_a_mailbox_that_is_full_and_gets_too_much_mail_is_full() -> None:
    text = "bo@gone.example: 452 4.2.2 The mailbox is over quota, or is getting too much mail right now\n"

    assert bounce_of(mail("Undeliverable", text)).reason == "mailboxfull"


@pytest.mark.parametrize(
    ("said", "hard"), [("554 5.0.0 wgwrk", True), ("451 4.0.0 wgwrk", False), ("wgwrk", True)]
)
def test_a_failure_without_a_reason_is_as_hard_as_its_status_says(said: str, hard: bool) -> None:
    found = mail("Undeliverable", f"The mail was not delivered.\n\nbo@gone.example: {said}\n")

    assert outcome_of(found) is not None
    assert (bounce_of(found).reason, bounce_of(found).hard) == ("undefined", hard)


@pytest.mark.parametrize("subject", AWAY)
def test_an_automatic_answer_is_known_by_how_its_subject_begins_or_ends(subject: str) -> None:
    assert kind(mail(subject, "I am away.", "Ann <ann@mail.example>")) in (
        Kind.AUTO_REPLY,
        Kind.OUT_OF_OFFICE,
    )


@pytest.mark.parametrize("subject", PERSONS)
def test_a_person_writes_about_such_things_too(subject: str) -> None:
    assert kind(mail(subject, "Please help.", "Ann <ann@mail.example>")) is Kind.MESSAGE
