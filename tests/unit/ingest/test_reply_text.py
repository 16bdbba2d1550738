"""What the person wrote now, of texts as mail clients leave them."""

import pytest

from services.ingest.quote_words import MARKERS, REPLY_MARKER
from services.ingest.reply_text import split

NEW = "The lamp flickers since Monday.\n\nCould somebody come by?"
OLD = "Thank you for your order.\nIt left our house today."
MARKED = "> Thank you for your order.\n> It left our house today."


def test_a_text_without_quotes_is_all_reply() -> None:
    found = split(NEW)
    assert (found.reply_text, found.quoted_text, found.signature, found.decisions) == (NEW, "", "", [])


def test_a_marked_quote_at_the_end_is_cut_with_its_attribution() -> None:
    attribution = "On Tue, 4 Mar 2025 at 09:15, Lamp House <care@lamps.example> wrote:"
    found = split(f"{NEW}\n\n{attribution}\n\n{MARKED}\n")
    assert found.reply_text == NEW
    assert found.quoted_text == f"{attribution}\n\n{MARKED}"


def test_an_unmarked_quote_is_cut_from_its_attribution_on() -> None:
    found = split(f"{NEW}\n\nOn Tue, 4 Mar 2025 at 09:15, Lamp House <care@lamps.example> wrote:\n\n{OLD}")
    assert found.reply_text == NEW
    assert found.quoted_text.endswith(OLD)


@pytest.mark.parametrize(
    "attribution",
    [
        "On Tue, 4 Mar 2025 at 09:15, The Friendly People Of Lamp House\n<care@lamps.example> wrote:",
        "On Tue, 4 Mar 2025 at 09:15, The Friendly People Of Lamp House <\ncare@lamps.example> wrote:",
        "On Tue, 4 Mar 2025 at 09:15, The Friendly People <care@lamps.example\n> wrote:",
        "On Tue, 4 Mar 2025 at 09:15,\nThe Friendly People\n<care@lamps.example>\nwrote:",
    ],
)
def test_an_attribution_wrapped_into_several_lines_is_cut_whole(attribution: str) -> None:
    assert split(f"{NEW}\n\n{attribution}\n\n{MARKED}").reply_text == NEW


def test_the_line_above_an_attribution_without_a_gap_stays() -> None:
    text = f"Hello,\nit still flickers.\nOn 4 Mar 2025, at 09:15, Lamp House wrote:\n{MARKED}"
    assert split(text).reply_text == "Hello,\nit still flickers."


@pytest.mark.parametrize(
    "attribution",
    [
        "---- On Tue, 04 Mar 2025 09:15:30 +0100 care@lamps.example wrote ----",
        "On Tue, 4 Mar 2025 09:15:30 +0100 Lamp House <care@lamps.example> wrote",
        '04.03.2025, 09.15, "Lamp House" <care@lamps.example>:',
        "2025-03-04 9:15 GMT+01:00 Lamp House <care@lamps.example>:",
        "Lamp House <care@lamps.example> wrote on 4 Mar 2025 09:15:",
    ],
)
def test_attributions_without_a_colon_or_without_a_verb_are_known(attribution: str) -> None:
    assert split(f"{NEW}\n\n{attribution}\n\n{OLD}").reply_text == NEW


def test_a_date_with_an_address_is_an_attribution_only_above_a_marked_quote() -> None:
    line = "2025/3/4 Lamp House <care@lamps.example>"
    assert split(f"{NEW}\n\n{line}\n\n{MARKED}").reply_text == NEW
    assert split(f"Who was there:\n\n{line}\n\nand nobody else").quoted_text == ""


def test_answers_between_quotes_are_kept_whole_with_what_they_answer() -> None:
    answers = (
        "On 4 Mar 2025, at 09:15, Lamp House wrote:\n> Which room is it in?\n\nThe kitchen.\n\n"
        "> And since when?\n\nMonday."
    )
    assert split(answers).reply_text == answers


def test_the_rest_of_the_quote_below_the_last_answer_is_cut() -> None:
    found = split("> Which room?\nThe kitchen.\n\n> Yours,\n> Lamp House\n> Since 1950")
    assert found.reply_text == "> Which room?\nThe kitchen."
    assert "Since 1950" in found.quoted_text


def test_one_attributed_quote_above_the_answer_is_cut() -> None:
    found = split(f"Lamp House wrote:\n{MARKED}\n\n{NEW}")
    assert found.reply_text == NEW


def test_a_quote_above_the_answer_stays_when_nobody_is_named() -> None:
    text = f"{MARKED}\n\n{NEW}"
    assert split(text).reply_text == text


def test_a_mail_that_is_all_quote_has_an_empty_reply() -> None:
    found = split(f"On Monday Lamp House wrote:\n{MARKED}")
    assert found.reply_text == ""
    assert found.quoted_text.endswith(MARKED)


def test_long_quoted_lines_that_were_wrapped_later_are_quoted_to_their_end() -> None:
    quote = (
        "> We are sorry to hear that the lamp, which left our house in good order, does not\n"
        "work any more.\n> Yours, Lamp House"
    )
    assert split(f"{NEW}\n\nOn 4 Mar 2025 at 09:15 Lamp House wrote:\n{quote}").reply_text == NEW


def test_a_short_answer_below_a_long_question_is_no_wrapped_line() -> None:
    text = (
        "> Would you please tell us in which of your many rooms the lamp is at this time?\n"
        "kitchen\n> And since when?\nMonday"
    )
    assert split(text).reply_text == text


@pytest.mark.parametrize("line", ["> 5", "> 100 watts at most", ">=20"])
def test_a_last_line_that_says_greater_than_is_no_quote(line: str) -> None:
    assert split(f"The watts must be\n{line}").quoted_text == ""


@pytest.mark.parametrize(
    "text",
    [
        "On Monday we wrote: nothing works.\n\nPlease come.",
        "As I wrote:\n\nthe lamp flickers.",
        "Dates that suit me:\n\n2025-03-04 09:15\n04.03.2025 at 10:00\nMar 5, 2025, 11:30\n\nYou choose.",
        "See https://blog.example/on-tuesday-somebody-wrote: it tells how.",
        "From: Rome\nTo: Oslo\nDate: 4 March 2025\n\nTwo people, one lamp.",
        "The notice was sent from my iPhone to all of us.",
        "With kind regards to your mother I beg to differ.",
        "Options:\n--verbose\n--quiet\nare both ignored.",
        "On your table there is a lamp.\n\n    lamp --on 127.0.0.1\n\nIt should burn.",
    ],
)
def test_what_only_looks_like_a_quote_or_signature_stays(text: str) -> None:
    assert split(text).reply_text == text


@pytest.mark.parametrize("marker", [*MARKERS.values(), "##- Please type your reply above this line -##"])
def test_what_stands_below_a_marker_line_was_not_written_now(marker: str) -> None:
    assert split(f"{NEW}\n\n-- {marker} --\n\nYour ticket was opened.").reply_text == NEW


def test_our_marker_cuts_in_a_marked_quote_and_above_it_the_attribution() -> None:
    text = f"{NEW}\n\nLamp House wrote:\n\n> -- {REPLY_MARKER} --\n> Your ticket was opened."
    assert split(text).reply_text == NEW


def test_a_sentence_about_the_marker_cuts_nothing() -> None:
    text = f"What does it mean, to {REPLY_MARKER}?\n\nI do not see one."
    assert split(text).reply_text == text


@pytest.mark.parametrize(
    "fields",
    [
        "From: Lamp House <care@lamps.example>\nSent: 4 March 2025 09:15\nTo: Ann\nSubject: Your lamp",
        "*From:* Lamps [mailto:care@lamps.example]\n*Sent:* 4 March 2025\n*To:* Ann\n*Subject:* Your lamp",
        "From: care@lamps.example\n\nSent: 4 March 2025\n\nTo: Ann\n\nSubject: Your lamp",
        "From: Lamps <care@lamps.example>\nDate: 4 March 2025\nTo: Ann <a@b.example>;\n Bob\nSubject: Lamp",
    ],
)
@pytest.mark.parametrize("rule", ["", "________________________________\n", " -----------------\n\n"])
def test_header_fields_open_a_quote(fields: str, rule: str) -> None:
    assert split(f"{NEW}\n{rule}{fields}\n\n{OLD}", subject="Re: Your lamp").reply_text == NEW


def test_header_fields_above_everything_cut_nothing() -> None:
    form = "From: ann@mail.example\nDate: 4 March 2025\nSubject: Lamp\n\nIt flickers."
    found = split(form)
    assert found.reply_text == form
    assert found.forwarded is not None
    assert found.forwarded.author is not None
    assert found.forwarded.author.address == "ann@mail.example"


@pytest.mark.parametrize(
    "rule", ["-----Original Message-----", "--- original message ---", "=== Original Message ==="]
)
def test_a_drawn_separator_cuts_all_below(rule: str) -> None:
    assert split(f"{NEW}\n\n{rule}\n{OLD}").reply_text == NEW


def test_the_words_of_a_separator_without_its_line_cut_nothing() -> None:
    text = "original message\nwas what the folder was called."
    assert split(text).reply_text == text


def test_a_letter_with_its_own_greeting_below_a_device_line_is_another() -> None:
    found = split("It still flickers.\n\nSent from my iPad\n\nDear Ann,\nhave you tried the switch?")
    assert found.reply_text == "It still flickers."
    assert found.signature == "Sent from my iPad"
    assert "have you tried" in found.quoted_text


def test_words_below_a_device_line_stay_when_they_are_no_letter() -> None:
    text = "It still flickers.\n\nSent from my iPad\n\nand the bulb is new."
    assert split(text).reply_text == text


def test_what_was_cut_is_told_with_line_numbers() -> None:
    found = split(f"Yes.\n\nOn 4 Mar 2025 at 09:15 Lamp House wrote:\n{MARKED}")
    assert found.decisions == ["lines 3 to 5 are cut: quote"]
