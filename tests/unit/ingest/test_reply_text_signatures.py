"""What is cut as a signature, and what only looks like one."""

import pytest

from services.ingest.reply_text import split

NEW = "The lamp flickers since Monday."
SMALL_PRINT = (
    "This message is confidential and meant for the person it is addressed to. If it reached you in error,"
    " please tell us, and delete it."
)


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAnn Example\nLamp House",
        "--\nAnn",
        "-- \nAnn Example. We have sold good lamps to good people for seventy years and more, every day.",
        "__________________________\nlamps mailing list\nlamps@lists.example\nhttps://lists.example/lamps",
        "---\nAnn Example\nann@mail.example",
        "\N{EM DASH}\nAnn Example\nann@mail.example",
        "-Ann Example",
        "-- Ann",
        f"Kind regards,\nAnn\n\n{SMALL_PRINT}\nPlease think before you print it.",
        "Best wishes\n\nAnn Example\nLamp House, 5 Light Lane, London\nTel. 020 7946 0000\nwww.lamps.example",
        "Thanks,\nAnn",
    ],
)
def test_a_signature_is_cut(signature: str) -> None:
    found = split(f"{NEW}\n\n{signature}")
    assert (found.reply_text, found.signature) == (NEW, signature)


def test_several_signatures_below_one_another_are_all_cut() -> None:
    signature = "Kind regards,\nAnn\n\n--\nLamp House\n\nSent from my iPhone"
    found = split(f"{NEW}\n\n{signature}")
    assert found.reply_text == NEW
    assert "".join(found.signature.split()) == "".join(signature.split())


def test_a_signature_above_a_quote_is_cut_with_it() -> None:
    found = split(f"{NEW}\n\nRegards,\nAnn\n\nOn 4 Mar 2025 at 09:15 Lamp House wrote:\n> Hello\n> Ann")
    assert (found.reply_text, found.signature) == (NEW, "Regards,\nAnn")
    assert "Hello" in found.quoted_text


def test_a_signature_below_a_quote_is_cut_with_it() -> None:
    found = split(f"{NEW}\n\nOn 4 Mar 2025 at 09:15 Lamp House wrote:\n> Hello\n> Ann\n\n-- \nAnn")
    assert (found.reply_text, found.signature) == (NEW, "-- \nAnn")


@pytest.mark.parametrize(
    "text",
    [
        "Thanks!",
        "Thanks,\nAnn",
        "Kind regards,\nAnn",
        f"{NEW}\n\nKind regards,\nAnn\n\nP.S. The bulb is new.",
        f"{NEW}\n\nKind regards,\nAnn\n\nWhen may I expect somebody?",
        f"{NEW}\n\nKind regards,\nAnn\n\nOne more thing. The switch is warm too.",
        f"{NEW}\n\nKind regards,\nAnn\n\nalso the switch by the door in the hall\ngets rather warm at night",
        f"{NEW}\n\nThanks, the new bulb works in the hall.",
        f"{NEW}\n\nI need:\n\n-bulbs\n-Switches",
        f"{NEW}\n\n---\n\nThe second lamp burns steadily, but it hums all night long and we cannot sleep.",
        "Sent from my desk, which is dark, as you will guess.",
        f"{NEW}\n\nSent from my office to yours last Friday, so where is the lamp?",
        "-Ann",
        f"{NEW}\n\nI choose:\n\n-Blue",
        "Which of them?\n\n- Blue",
        f"{NEW}\n======================\nhttps://lamps.example/5\n======================\nwww.lamps.example",
        f"{NEW}\n\nBest price, please.",
        f"{NEW}\n\n\N{EM DASH}\nshall we say Tuesday then",
    ],
)
def test_what_may_have_been_said_to_the_reader_stays(text: str) -> None:
    assert split(text).reply_text == text


def test_a_device_line_alone_is_signature_although_nothing_is_left() -> None:
    found = split("Sent from my iPhone")
    assert (found.reply_text, found.signature) == ("", "Sent from my iPhone")


@pytest.mark.parametrize(
    "closing",
    [
        "Danke und viele Grüße",
        "Grüße aus Rom",
        "Mit freundlichen Grüßen / Best regards",
        "Thanks & Regards,",
        "Gracias y un saludo,",
        "Lijep pozdrav,",
        "İyi günler,",
        "مع التحية،",
        "どうぞよろしくお願いいたします。",
        "顺祝商祺",
        "ขอแสดงความนับถือ",
        "Bonne journée,",
    ],
)
def test_a_closing_in_another_language_is_cut_with_the_name_below_it(closing: str) -> None:
    assert split(f"{NEW}\n\n{closing}\nAnn Example").reply_text == NEW


@pytest.mark.parametrize(
    "ending",
    [
        "Bonne journée\nà vous aussi, mais ma lampe manque.",
        "Thanks and bye\nAnn",
        "Grüße hat er nicht bestellt.\nBitte rufen Sie an.",
        "Buona giornata",
    ],
)
def test_words_of_a_closing_that_say_more_stay(ending: str) -> None:
    text = f"{NEW}\n\n{ending}"

    assert split(text).reply_text == text


@pytest.mark.parametrize(
    "ending",
    [
        "--\nCan you also tell me when the other lamp arrives?",
        "--\nThe second lamp is fine.\nBut it hums all night long.",
        "------\nHall: E27\nKitchen: E14",
        "Regards,\nAnn\n\nOrder number: 4711",
        "Mit freundlichen Grüßen\nAnn\n\nKundennummer 4711",
        "Regards,\nAnn\nPlease call me at 555 1234",
        "Viele Grüße\nAnn\n\nBitte rufen Sie mich unter 0123 456789 an",
        "Viele Grüße\nAnn\n\nNachtrag: Die Birne ist E27",
        "Saludos,\nAna\nPor favor llámenme mañana",
        "Cordialement\nAnne\nJe préfère le bleu",
        "Regards\n\nMy new address:\n5 Lamp Road\nOslo",
        "MfG\nund bitte recht bald",
        "Regards\nAnn\nshipping to Oslo only",
    ],
)
def test_what_the_reader_needs_below_a_closing_stays_with_it(ending: str) -> None:
    assert split(f"{NEW}\n\n{ending}").reply_text == f"{NEW}\n\n{ending}"


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAnn Example\nI love lamps. Do you?",
        "--\nAnn Example | ann@mail.example\nMy office is open on Mondays.",
        "Best regards\nAnn Example\nhead of customer care\nLamp House",
        "Sincerely,\n\nAnn A. Example, Ph.D.\nUniversity of Oslo\n+47 22 85 50 50",
        "С уважением,\nАнна\nменеджер по продажам\n+7 495 123-45-67",
        "Yours sincerely\n\nAnn Example\n\nRegistered Office:\n5 Lamp Road\nOslo\nwww.lampe.example",
    ],
)
def test_a_signature_may_name_an_office_or_say_a_word(signature: str) -> None:
    assert split(f"{NEW}\n\n{signature}").reply_text == NEW
