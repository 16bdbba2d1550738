"""The lines that telephones and mail programs add, and last words of customers that begin like them."""

import pytest

from services.ingest.reply_text import split

NEW = "The lamp in the hall flickers."

LINES = (
    "(sent from a phone)",
    "Sent from my cell, please excuse any typos.",
    "Please excuse typos, sent from my phone",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet. Bitte entschuldigt die Kürze.",
    "Envoyé de l'iPhone d'Anne",
    "Inviato dall'iPad di Anna",
    "Sent wirelessly from my BlackBerry device on the Bell network.",
    "Sent via Superhuman ( https://superhuman.example/?vip=ann )",
    "Sent with Lampmail (https://lampmail.example)",
    "Sent from Nine",
    "Sent from Workspace ONE Boxer",
    "Odesláno ze Seznam Email",
    "Poslano z mojega iPhona",
    "Outlook for iOS를 다운로드하세요",
    "Von meinem Samsung Galaxy Smartphone gesendet.",
)
WORDS = (
    "Sent from my old address by mistake",
    "Sent from my wife's account",
    "Sent from the warehouse yesterday",
    "Sent from Rome on Monday.",
    "Sent using the form on your mobile site",
    "Sent with the van, the phone should arrive tomorrow.",
    "Sent with the van (https://van.example/trace/5)",
    "Von meinem Handy aus geht es nicht",
    "Von meinem Telefon wurde die Nachricht nicht gesendet",
    "Von meinem Konto wurde zweimal abgebucht",
    "Sorry, typing on my phone",
    "Please excuse the typos",
)


@pytest.mark.parametrize("line", LINES)
def test_the_line_of_a_device_or_program_is_signature(line: str) -> None:
    found = split(f"{NEW}\n\n{line}")
    assert (found.reply_text, found.signature) == (NEW, line)


@pytest.mark.parametrize("line", WORDS)
def test_last_words_that_begin_like_such_a_line_stay(line: str) -> None:
    assert split(f"{NEW}\n\n{line}").reply_text == f"{NEW}\n\n{line}"


def test_what_a_writer_is_named_above_is_another_letter_below_such_a_line() -> None:
    quoted = "ann@lampe.example wrote:\n\nWhich lamp?"
    found = split(f"{NEW}\nSent from my iPhone\n\n{quoted}")
    assert (found.reply_text, found.quoted_text) == (NEW, quoted)


def test_a_line_of_dashes_across_the_page_leads_to_a_signature_of_a_few_short_lines() -> None:
    signature = "———————————————\n\n小满\n活动协调人"
    assert split(f"周末聚会的时间已经整理好了。\n\n{signature}").signature == signature


@pytest.mark.parametrize(
    "rest",
    [
        "\n> See the lamp (https://lampe.example/a\nb_c=1)\n> here.",
        "\n> Answer\n (https://lampe.example/a) >\n> here.",
    ],
)
def test_a_link_that_lost_its_mark_is_quoted_as_the_lines_around_it(rest: str) -> None:
    assert split(f"{NEW}\n\nOn 3/5/25 9:15, Ann wrote:{rest}").reply_text == NEW


def test_a_link_between_marked_lines_may_be_an_answer() -> None:
    text = "On 3/5/25 9:15, Ann wrote:\n> Where is it?\n(https://lampe.example/a)\n> And when?\nOn Friday."
    assert split(text).reply_text == text
