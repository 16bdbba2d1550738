"""Openers of quotes that only some clients or products write, and what looks like them and is none."""

import textwrap

import pytest

from services.ingest.reply_text import split

NEW = "Thank you, the blue one.\nPlease send it on Friday."
OLD = "Dear Ann,\n\nwhich colour would you like?"

OPENERS = {
    "GroupWise": ">>> Lamp House <post@lampe.example> 05.03.2025 9:15 >>>",
    "GroupWise, no address": '>>> "Lamp House" 3/5/2025 9:15 AM >>>',
    "QQ": "------------------ Original ------------------",
    "T-Online": "---- Ursprüngliche Nachricht vom 05.03.2025 9:15 ----",
    "with a name": "------- Mensaje original de Casa Lámpara -------",
    "gl": "O mér, 5 mar 2025 ás 9:15, Casa Lámpada (<post@lampe.example>) escribiu:",
    "eu": "Lanpa (<post@lampe.example>) erabiltzaileak hau idatzi du (2025 mar. 5, az. (9:15)):",
    "af": "Op Wo. 05 Mrt. 2025 om 9:15 het Lamphuis <post@lampe.example> geskryf:",
    "sw": "Mnamo Jtn, 5 Mac 2025 saa 9:15 Nyumba <post@lampe.example> aliandika:",
    "mr": "बुध, ५ मार्च, २०२५, ९:१५ AM रोजी दीपगृह <post@lampe.example> यांनी लिहिले:",
    "te": "బుధ, 5 మార్చి 2025, 9:15 AMకి దీపం <post@lampe.example> ఇలా రాశారు:",
    "Thai calendar": "เมื่อ 5 มี.ค. 2568 เวลา 9:15 บ้านโคมไฟ <post@lampe.example> เขียนว่า:",
}
MARKERS = (
    "--- Reply above. Do not remove this line. ---",
    "Write ABOVE THIS LINE to post a reply",
    "##- Please enter your reply above this line -##",
    "-=-=- To respond, type your answer above this line. -=-=-",
    "=== Please do not type below this line ===",
)
WHEN_SENT = {
    "en": "From: Lamp House\nSent: Wednesday, 5 March 2025 9:15\nTo: Ann Example",
    "de": "Von: Haus Lampe\nGesendet: Mittwoch, 5. März 2025 09:15\nAn: Ann Example",
    "ru": "От: Дом ламп\nОтправлено: среда, 5 марта 2025 г. 9:15\nКому: Ann Example",
    "fr, Orange": "Message du : 05/03/2025 9:15\nDe : Maison Lampe <post@lampe.example>\n"
    "A : ann@example.com\nCopie à : \nSujet : Lampe",
}
FORMS = {
    "a journey": "From: Rome\nTo: Oslo\nDate: 5 March 2025 9:15",
    "a parcel": "From: Rome\nTo: Oslo\nSent: two lamps",
    "a change": "From: size 4\nTo: size 5",
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_an_opener_ends_the_reply_whether_marks_follow_or_not(opener: str) -> None:
    assert split(f"{NEW}\n\n{opener}\n\n{OLD}").reply_text == NEW
    assert split(f"{NEW}\n\n{opener}\n{textwrap.indent(OLD, '> ', lambda _: True)}").reply_text == NEW


@pytest.mark.parametrize("marker", MARKERS)
def test_the_marker_line_of_another_product_ends_the_reply(marker: str) -> None:
    assert split(f"{NEW}\n\n{marker}\n\n{OLD}").reply_text == NEW


@pytest.mark.parametrize("fields", WHEN_SENT.values(), ids=WHEN_SENT)
def test_fields_without_an_address_are_of_a_mail_if_one_says_when_it_was_sent(fields: str) -> None:
    assert split(f"{NEW}\n\n{fields}\n\n{OLD}").reply_text == NEW


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_fields_of_a_form_are_kept_with_what_stands_below_them(form: str) -> None:
    text = f"Please change my order:\n\n{form}\n\nIs that all right?"
    assert split(text).reply_text == text


def test_a_caption_of_a_telephone_may_have_the_fields_behind_it_on_its_line() -> None:
    line = "-------- Original message --------From: Lamp House Date: 05/03/2025 09:15 (GMT+01:00) To: Ann"
    assert split(f"{NEW}\n\n{line}\n\n{OLD}").reply_text == NEW


def test_an_address_that_began_goes_on_below_in_the_last_field_too() -> None:
    text = (
        "---------- Forwarded message ---------\nFrom: Ann <ann@example.com>\nSubject: Lamp\n"
        "Cc: Bob <bob@example.com>, Carl <\ncarl@example.com>\n\nIs it blue?"
    )
    found = split(text, subject="Fwd: Lamp")
    assert found.forwarded is not None
    assert found.forwarded.text == "Is it blue?"
