"""How clients write what they quote: wrapped attributions, captions, lines of telephones; what is none."""

import textwrap

import pytest

from services.ingest.reply_text import split

NEW = "Thank you, the blue one.\nPlease send it on Friday."
OLD = "Dear Ann,\n\nwhich colour would you like?"
MARKED = textwrap.indent(OLD, "> ", lambda _: True)
HOUSE = "Lamp House <post@lampe.example>"

WRAPPED = {
    "before the address": "Lamp House\n<post@lampe.example> wrote on 03/04/2025 09:15:23 AM:",
    "behind the address": f"{HOUSE}\n于2025年3月4日周二 09:15写道：",
    "twice": "Haus Lampe\n<post@lampe.example> hat am 04.03.2025 09:15\nCET geschrieben:",
    "behind the verb": "Am Dienstag, dem 04.03.2025 um 09:15 +0100 schrieb\nHaus Lampe:",
    "before the date": f"{HOUSE} kirjoitti\n4.3.2025 kello 9.15:",
    "in the bracket": f"{HOUSE} ezt írta (időpont: 2025.\nmárc. 4., K, 9:15):",
}
OTHERS = {
    "two digits of a year": "Le 4 Mar 25, à 9:15, Maison Lampe post@lampe.example a écrit :",
    "Arabic digits": f"في ٤ مارس ٢٠٢٥، الساعة ٩:١٥ ص، كتب {HOUSE}:",
    "Persian digits": f"در تاریخ سه‌شنبه ۴ مارس ۲۰۲۵، ۹:۱۵ {HOUSE} نوشت:",
    "Bengali digits": f"মঙ্গল, ৪ মার্চ, ২০২৫ তারিখে ৯:১৫ AM টায় {HOUSE} লিখেছেন:",
    "Catalan": f"Missatge de {HOUSE} del dia dt., 4 de març 2025 a les 9:15:",
    "Polish Apple Mail": f"Wiadomość napisana przez {HOUSE} w dniu 04.03.2025, o godz. 9:15:",
    "Korean Thunderbird": "2025-03-04 오전 9:15에 Lamp House 이(가) 쓴 글:",
    "The Bat": "Вы писали 4 марта 2025 г., 9:15:23:",
    "Slovenian": "Dne 4. 03. 2025 ob 9:15 je Hiša luči napisal(a):",
}
SEPARATORS = (
    "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐",
    "---- Replied Message ----",
    "-----Lamp House/LIGHT schrieb: -----",
    "---- Lamp House a écrit ----",
    "-------- Первоначальное сообщение --------",
    "-----Özgün İleti-----",
    "-------- Izvorna poruka --------",
    "-------- 원본 이메일 --------",
    "-------- 元のメール --------",
    "------------------&nbsp;原始邮件&nbsp;------------------",
    "-----Algne teade-----",
    "-----Tin nhắn Gốc-----",
)
FIELDS = {
    "bg": ("От", "Изпратено", "До", "Относно"),
    "hr": ("Šalje", "Poslano", "Prima", "Predmet"),
    "sl": ("Od", "Poslano", "Za", "Zadeva"),
    "lt": ("Nuo", "Išsiųsta", "Kam", "Tema"),
    "et": ("Saatja", "Saadetud", "Adressaat", "Teema"),
    "th": ("จาก", "ส่ง", "ถึง", "เรื่อง"),
    "fa": ("از", "تاریخ", "به", "موضوع"),
    "zh": ("发件人", "发送时间", "收件人", "主\u3000题"),
    "ko": ("발신", "날짜", "받은 사람", "제목"),
    "vi": ("Từ", "Ngày gửi", "Tới", "Chủ đề"),
}
DEVICES = (
    "Get Outlook for Android<https://aka.ms/example>",
    "Pobierz aplikację Outlook dla systemu Android",
    "Скачать Outlook для iOS",
    "Outlook für iOS<https://aka.ms/example> beziehen",
    "Android için Outlook'u edinin",
    "iOS版Outlookを入手",
    "获取适用于 iOS 的 Outlook",
    "从我的手机发送",
    "Odesláno z iPhonu",
    "Enviado pelo meu celular",
    "Poslano iz mojega iPhona",
    "ส่งจาก iPhone ของฉัน",
    "Samsung Galaxy akıllı telefonumdan gönderildi.",
    "Von Samsung Mobile gesendet",
    "נשלח מ-Outlook עבור Android",
)
SENTENCES = (
    "Fatura dün e-posta ile gönderildi",
    "Die Rechnung habe ich vorgestern per E-Mail gesendet",
    "请把文件用邮件发送",
    "It happens in Outlook for Android",
    "On 4 March 2025 at 09:15 I wrote to post@lampe.example:\nno answer came.",
    "Am 04.03.2025 um 09:15 Uhr hat mir Frau Licht geschrieben:\nDas Geld kommt. Wann?",
    "The lamp came on 4.3.2025, signed for by ann@mail.example:\nit is broken.",
    "2025-03-04 09:15 ann@mail.example logged in:\n2025-03-04 09:16 ann@mail.example logged out:\nWhy?",
    "---- Update ----\n\nIt works again.",
)


@pytest.mark.parametrize("attribution", [*WRAPPED.values(), *OTHERS.values()], ids=[*WRAPPED, *OTHERS])
@pytest.mark.parametrize("quote", [OLD, MARKED], ids=["plain", "marked"])
def test_an_attribution_is_cut_whole_with_what_it_quotes(attribution: str, quote: str) -> None:
    assert split(f"{NEW}\n\n{attribution}\n\n{quote}").reply_text == NEW


@pytest.mark.parametrize("attribution", WRAPPED.values(), ids=WRAPPED)
def test_answers_within_the_quote_of_a_wrapped_attribution_stay(attribution: str) -> None:
    text = f"{attribution}\n> Which colour?\nBlue.\n> When?\nOn Friday."

    assert "Blue." in split(text).reply_text
    assert "On Friday." in split(text).reply_text


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_separator_is_cut_with_all_below_it(separator: str) -> None:
    assert split(f"{NEW}\n\n{separator}\n{OLD}").reply_text == NEW


def test_a_caption_above_header_fields_is_cut_with_them_whatever_it_says() -> None:
    fields = f"From: {HOUSE}\nDate: Tue, Mar 4, 2025 09:15 AM\nTo: Ann\nSubject: Re: Lamp"

    assert split(f"{NEW}\n\n------------- Wgwrk Fmlk -------------\n{fields}\n\n{OLD}").reply_text == NEW


@pytest.mark.parametrize("names", FIELDS.values(), ids=FIELDS)
def test_header_fields_open_a_quote_in_more_languages(names: tuple[str, ...]) -> None:
    values = (HOUSE, "2025-03-04 09:15", "Ann <ann@mail.example>", "Re: Lamp")
    block = "\n".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))

    assert split(f"{NEW}\n\n{block}\n\n{OLD}").reply_text == NEW


@pytest.mark.parametrize("line", DEVICES)
def test_the_line_of_a_device_or_program_is_cut(line: str) -> None:
    assert split(f"{NEW}\n\n{line}").reply_text == NEW


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_that_looks_like_one_stays(sentence: str) -> None:
    text = f"Hello,\n\n{sentence}"

    assert split(text).reply_text == text


@pytest.mark.parametrize("words", ["Zitat von", "Quoting", "Citando a", "Цитирую"])
def test_what_stands_for_a_verb_above_a_marked_quote_is_cut_with_it(words: str) -> None:
    assert split(f"{NEW}\n\n{words} {HOUSE}:\n\n{MARKED}").reply_text == NEW
    assert split(f"{NEW}\n\n{words} {HOUSE}:\n\n{OLD}").reply_text != NEW


def test_a_quote_that_begins_on_the_line_of_its_attribution_is_cut() -> None:
    line = "  On Tue, Mar 4, 2025 at 9:15 AM, Lamp House<post@lampe.example> wrote:   Dear Ann,"

    assert split(f"{NEW}\n\n{line}\n\nwhich colour?").reply_text == NEW


def test_the_words_of_a_separator_above_header_fields_are_cut_without_dashes_too() -> None:
    fields = f"From: {HOUSE}\nSent: Tuesday, March 4, 2025 9:15 AM\nTo: Ann\nSubject: Lamp"

    assert split(f"{NEW}\n\n  Original Message\n{fields}\n\n{OLD}").reply_text == NEW


def test_an_attributed_quote_above_the_answer_is_cut_in_html_too() -> None:
    html = (
        '<div class="moz-cite-prefix">On 3/4/25 9:15, Lamp House wrote:<br></div>'
        '<blockquote type="cite"><p>Which colour?</p></blockquote><p>The blue one.</p>'
    )
    text = "On 3/4/25 9:15, Lamp House wrote:\n\nWhich colour?\n\nThe blue one."

    assert split(text, html).reply_text == "The blue one."
