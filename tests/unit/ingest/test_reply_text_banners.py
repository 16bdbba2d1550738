"""Warnings that gateways put above mails from outside, and customers' own words that sound like them."""

import pytest

from services.ingest.reply_text import split

NEW = "The lamp in the hall flickers.\n\nPlease come."
BANNERS = {
    "en": "CAUTION: This email originated from outside of the organization. Do not click links or open"
    " attachments unless you recognize the sender.",
    "en, wrapped": "[EXTERNAL EMAIL]\nDo not open attachments\nunless you know the sender.",
    "in bold": "**Warning: external sender. Be careful with links.**",
    "de": "ACHTUNG: Diese E-Mail kommt von außerhalb. Bitte keine Anhänge öffnen und keine Links anklicken.",
    "fr": "ATTENTION : ce message vient de l'extérieur. Ne cliquez pas sur les liens.",
    "es": "PRECAUCIÓN: correo externo. No abra adjuntos ni enlaces.",
    "nl": "LET OP: deze e-mail komt van buiten. Open geen bijlagen.",
}
WORDS = (
    "Warning: the lamp outside burns.",
    "Caution, the link in your mail is dead.",
    "External lamps and their links are what I ask for.\n\nDo you sell attachments?",
    "The sender of this lamp came from outside. See the links.",
)


@pytest.mark.parametrize("banner", BANNERS.values(), ids=BANNERS)
def test_the_warning_of_a_gateway_is_not_what_the_person_wrote(banner: str) -> None:
    found = split(f"{banner}\n\n{NEW}")
    assert (found.reply_text, found.quoted_text) == (NEW, banner)
    assert any("gateway" in one for one in found.decisions)


@pytest.mark.parametrize("words", WORDS)
def test_words_that_lack_a_sign_of_it_stay(words: str) -> None:
    assert split(f"{words}\n\n{NEW}").reply_text == f"{words}\n\n{NEW}"


def test_a_warning_with_nothing_below_it_is_all_that_there_is_to_read() -> None:
    assert split(BANNERS["en"]).reply_text == BANNERS["en"]


def test_a_warning_stays_where_it_stands_within_a_text() -> None:
    text = f"{NEW}\n\n{BANNERS['en']}\n\nThat is what I got. What is it?"
    assert split(text).reply_text == text
