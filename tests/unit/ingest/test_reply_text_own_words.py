"""What a customer writes that looks like the start of a quote: it is not cut, nor is what stands below it."""

import pytest

from services.ingest.reply_text import split

CLAIM = "We shall pay you back within five days."
QUESTION = "Nobody ever did. Why?"

TOLD = {
    "you, with an address": "On 5 March 2025 at 9:15 your colleague ann@lampe.example wrote:",
    "you": "On 5 March 2025 at 9:15 you wrote:",
    "my": "On 5 March 2025 at 9:15 my neighbour wrote:",
    "in a sentence": "I ordered on 2025-03-05 at 9:15 and your shop wrote:",
    "received": "On 5 March 2025 I received the following from post@lampe.example:",
    "a list": "05.03.2025 9:15 - mail an post@lampe.example:",
    "somebody": "On 5 March 2025 at 9:15 the driver wrote:",
    "de, somebody": "Am 05.03.2025 um 9:15 schrieb der Fahrer:",
    "fr, somebody": "Le 05/03/2025 à 9:15 le livreur a écrit :",
    "es, somebody": "El 05/03/2025 a las 9:15 el conductor escribió:",
    "it, somebody": "Il 05/03/2025 alle 9:15 il corriere ha scritto:",
    "pt, somebody": "Em 05/03/2025 às 9:15 o motorista escreveu:",
    "nl, somebody": "Op 05-03-2025 om 9:15 schreef de bezorger:",
    "de": "Am 05.03.2025 um 9:15 Uhr habe ich Ihnen geschrieben:",
    "de, they": "Am 05.03.2025 um 9:15 schrieb Ihr Kollege:",
    "de, received": "Am 5. März 2025 bekam ich diese Nachricht von post@lampe.example:",
    "fr": "Le 05/03/2025 à 9:15 je vous ai écrit :",
    "fr, they": "Le 05/03/2025 à 9:15 vous m'avez écrit :",
    "es": "El 05/03/2025 a las 9:15 usted escribió:",
    "it": "Il 05/03/2025 alle 9:15 mi avete scritto:",
    "pt": "Em 05/03/2025 às 9:15 você escreveu:",
    "nl": "Op 05-03-2025 om 9:15 heb ik u geschreven:",
    "nl, they": "Op 05-03-2025 om 9:15 schreef uw collega:",
    "sv": "Den 5 mars 2025 kl 9:15 skrev ni:",
    "cs": "Dne 5. 3. 2025 v 9:15 jsem napsal:",
    "ru": "05.03.2025 в 9:15 вы писали:",
    "ro": "Pe 5 martie 2025 la 9:15 mi-a scris colega:",
    "zh": "2025年3月5日 9:15 您写道：",
}
ON_THE_SAME_LINE = {
    "en": "Blue, please On Wed, 5 Mar 2025 at 9:15, Lamp House <post@lampe.example> wrote:",
    "en, one word": "Blue On Wed, 5 Mar 2025 at 9:15, Lamp House <post@lampe.example> wrote:",
    "de": "Bitte in Blau Am Mi., 5. März 2025 um 09:15 Uhr schrieb Haus Lampe <post@lampe.example>:",
    "fr": "En bleu Le mer. 5 mars 2025 à 09:15, Maison Lampe <post@lampe.example> a écrit :",
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
@pytest.mark.parametrize("gap", ["\n\n", "\n"], ids=["apart", "in one paragraph"])
def test_what_a_person_tells_of_a_mail_is_no_attribution(told: str, gap: str) -> None:
    text = gap.join(("Hello,", told, CLAIM, QUESTION))
    assert split(text).reply_text == text


@pytest.mark.parametrize("line", ON_THE_SAME_LINE.values(), ids=ON_THE_SAME_LINE)
def test_words_before_an_attribution_on_its_line_stay_and_marked_lines_below_go(line: str) -> None:
    found = split(f"{line}\n> Which colour would you like?\n> Ann")
    assert found.reply_text == line
    assert found.quoted_text == "> Which colour would you like?\n> Ann"


def test_the_line_of_a_device_may_stand_before_an_attribution() -> None:
    line = "Sent from my iPhone On Mar 5, 2025, at 9:15 AM, Lamp House <post@lampe.example> wrote:"
    assert split(f"Blue, please.\n\n{line}\n\nWhich colour?").reply_text == "Blue, please."


def test_one_client_says_that_you_wrote_but_to_the_second() -> None:
    line = "On Wednesday, March 5, 2025, 9:15:23, you wrote:"
    assert split(f"Blue, please.\n\n{line}\n\nWhich colour?").reply_text == "Blue, please."


@pytest.mark.parametrize("wrote", ["wrote:", "schrieb:", "a écrit :", "napisał(a):"])
def test_a_writer_with_an_address_on_a_line_alone_is_an_attribution_without_a_date(wrote: str) -> None:
    text = f"Blue, please.\n\nLamp House <post@lampe.example> {wrote}\n\nWhich colour?"
    assert split(text).reply_text == "Blue, please."


def test_a_writer_without_an_address_or_right_below_other_words_is_none() -> None:
    for text in (
        "My answer.\n\nAnn Example wrote:\n\nThe lamp is yellow.",
        "My bank tells me that\nAnn <ann@lampe.example> wrote:\nThe lamp is yellow.",
    ):
        assert split(text).reply_text == text


def test_marked_lines_that_the_writer_leads_up_to_are_shown_and_not_quoted() -> None:
    text = "The log says:\n\n> lamp 5: no current\n> lamp 6: no current"
    assert split(text).reply_text == text


@pytest.mark.parametrize("above", ["Ann says on 5.3.2025 9:15:", "Mail of ann@lampe.example:", "Ann wrote:"])
def test_a_line_that_names_a_writer_or_a_time_leads_up_to_a_quote(above: str) -> None:
    text = f"Blue, please.\n\n{above}\n> Which colour\n> would you like?"
    assert "Which colour" not in split(text).reply_text


def test_an_answer_below_all_that_it_answers_is_not_lost_where_nothing_is_marked() -> None:
    text = "On 5 March 2025 at 9:15, Lamp House <post@lampe.example> wrote:\n\nWhich colour?\n\nBlue, please."
    assert split(text).reply_text == text
