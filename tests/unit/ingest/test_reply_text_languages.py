"""Quotes, header fields, separators and signatures in the languages that mail clients write."""

import pytest

from services.ingest.reply_text import split

ATTRIBUTIONS = {
    "de": "Am Di., 4. März 2025 um 09:15 Uhr schrieb Haus Lampe <post@lampe.example>:",
    "de, name first": "Haus Lampe <post@lampe.example> schrieb am 04.03.2025 09:15:",
    "fr": "Le mar. 4 mars 2025 à 09:15, Maison Lampe <post@lampe.example> a écrit :",
    "es": "El mar, 4 mar 2025 a las 9:15, Casa Lámpara (<post@lampe.example>) escribió:",
    "it": "Il giorno mar 4 mar 2025 alle ore 09:15 Casa Lampada <post@lampe.example> ha scritto:",
    "pt": "Em ter., 4 de mar. de 2025 às 09:15, Casa Lâmpada <post@lampe.example> escreveu:",
    "nl": "Op di 4 mrt 2025 om 09:15 schreef Huis Lamp <post@lampe.example>:",
    "nl, verb last": "Op 4 mrt. 2025 om 09:15 heeft Huis Lamp <post@lampe.example> geschreven:",
    "sv": "Den tis 4 mars 2025 kl 09:15 skrev Lamphuset <post@lampe.example>:",
    "da": "Den tir. 4. mar. 2025 kl. 09.15 skrev Lampehuset <post@lampe.example>:",
    "no": "tir. 4. mars 2025 kl. 09:15 skrev Lampehuset <post@lampe.example>:",
    "fi": "ti 4. maalisk. 2025 klo 9.15 Lampputalo (post@lampe.example) kirjoitti:",
    "pl": "wt., 4 mar 2025 o 09:15 Dom Lampy <post@lampe.example> napisał(a):",
    "pl, W dniu": "W dniu 4.03.2025 o 09:15, Dom Lampy pisze:",
    "cs": "út 4. 3. 2025 v 9:15 odesílatel Dům lamp <post@lampe.example> napsal:",
    "sk": "ut 4. 3. 2025 o 9:15 Dom lámp <post@lampe.example> napísal(a):",
    "hu": "Lámpaház <post@lampe.example> ezt írta (időpont: 2025. márc. 4., K, 9:15):",
    "ro": "mar., 4 mar. 2025 la 09:15, Casa Lămpii <post@lampe.example> a scris:",
    "el": "Στις Τρί 4 Μαρ 2025 στις 9:15 π.μ., ο χρήστης Σπίτι <post@lampe.example> έγραψε:",
    "tr": "Lamba Evi <post@lampe.example>, 4 Mar 2025 Sal, 09:15 tarihinde şunu yazdı:",
    "ru": "вт, 4 мар. 2025 г. в 09:15, Дом ламп <post@lampe.example>:",
    "ru, verb": "4 марта 2025 г., 09:15 Дом ламп написал(а):",
    "uk": "вт, 4 бер. 2025 р. о 09:15 Дім ламп <post@lampe.example> пише:",
    "he": "\u202bבתאריך יום ג׳, 4 במרץ 2025 ב-9:15 מאת"
    " \u202aבית המנורה\u202c\u200f <\u202apost@lampe.example\u202c\u200f>:\u202c",
    "ar": "في الثلاثاء، 4 مارس 2025 في 9:15 ص بيت المصباح <post@lampe.example> كتب:",
    "zh": "灯屋 <post@lampe.example> 于2025年3月4日周二 09:15写道：",
    "zh-tw": "燈屋 <post@lampe.example> 於 2025年3月4日 週二 上午9:15寫道：",
    "ja": "2025年3月4日(火) 9:15 ランプの家 <post@lampe.example>:",
    "ko": "2025년 3월 4일 (화) 오전 9:15, 램프의 집 <post@lampe.example>님이 작성:",
    "vi": "Vào Th 3, 4 thg 3, 2025 vào lúc 09:15 Nhà Đèn <post@lampe.example> đã viết:",
    "id": "Pada tanggal Sel, 4 Mar 2025 pukul 09.15 Rumah Lampu <post@lampe.example> menulis:",
    "hi": "मंगल, 4 मार्च 2025 को 9:15 पर दीपघर <post@lampe.example> ने लिखा:",
    "ta": "செவ்., 4 மார்., 2025, 9:15 அன்று விளக்கு <post@lampe.example> எழுதியது:",
}

FIELDS = {
    "de": ("Von", "Gesendet", "An", "Betreff"),
    "fr": ("De ", "Envoyé ", "À ", "Objet "),
    "es": ("De", "Enviado el", "Para", "Asunto"),
    "it": ("Da", "Inviato", "A", "Oggetto"),
    "pt": ("De", "Enviada em", "Para", "Assunto"),
    "nl": ("Van", "Verzonden", "Aan", "Onderwerp"),
    "sv": ("Från", "Skickat", "Till", "Ämne"),
    "da": ("Fra", "Sendt", "Til", "Emne"),
    "fi": ("Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"),
    "pl": ("Od", "Wysłano", "Do", "Temat"),
    "cs": ("Od", "Odesláno", "Komu", "Předmět"),
    "hu": ("Feladó", "Elküldve", "Címzett", "Tárgy"),
    "el": ("Από", "Στάλθηκε", "Προς", "Θέμα"),
    "tr": ("Kimden", "Gönderildi", "Kime", "Konu"),
    "ru": ("От", "Отправлено", "Кому", "Тема"),
    "he": ("מאת", "נשלח", "אל", "נושא"),
    "ar": ("من", "تم الإرسال", "إلى", "الموضوع"),
    "zh": ("发件人", "发送时间", "收件人", "主题"),
    "ja": ("差出人", "送信日時", "宛先", "件名"),
    "ko": ("보낸 사람", "보낸 날짜", "받는 사람", "제목"),
    "hi": ("प्रेषक", "दिनांक", "प्रति", "विषय"),
    "ta": ("அனுப்புநர்", "தேதி", "பெறுநர்", "பொருள்"),
}

SIGNATURES = {
    "en": "Kind regards,\nAnn Example",
    "en, spoken": "Cheers,\nAnn",
    "en, one line": "Best regards, Ann",
    "en, with an emoji": "Best regards 🙂\nAnn Example\nhttps://example.org",
    "en, with reach": "Sincerely,\n\nAnn Example\nHead of Light\n+44 20 7946 0000",
    "de": "Mit freundlichen Grüßen\nAnn Beispiel",
    "de, without the sharp s": "Mit freundlichen Grüssen\n\nAnn Beispiel",
    "de, short": "LG Ann",
    "fr": "Cordialement,\nAnne Exemple",
    "es": "Un saludo,\nAna Ejemplo",
    "it": "Cordiali saluti\nAnna Esempio",
    "pt": "Atenciosamente,\nAna Exemplo",
    "nl": "Met vriendelijke groet,\nAnna Voorbeeld",
    "sv": "Med vänlig hälsning\nAnna",
    "sv, slash": "/Anna",
    "da": "Mvh Anna",
    "fi": "Ystävällisin terveisin\nAnna",
    "pl": "Pozdrawiam,\nAnna",
    "pl, without accents": "Z powazaniem,\nAnna",
    "cs": "S pozdravem\nAnna",
    "ru": "С уважением,\nАнна",
    "tr": "Saygılarımla,\nAyşe",
    "he": "בברכה,\nחנה",
    "hi": "सादर,\nअन्ना",
    "ta": "அன்புடன்,\nஅன்னா",
}

DEVICES = [
    "Sent from my iPhone",
    "Sent from my Verizon Wireless 4G LTE smartphone",
    "Sent from Mail for Windows 10",
    "Sent from NineMail<https://mail.example/app>",
    "Get Outlook for iOS<https://aka.example/o0ukef>",
    "Von meinem iPhone gesendet",
    "Gesendet mit der GMX Mail App",
    "Envoyé de mon iPhone",
    "Enviado desde mi Samsung Galaxy",
    "Inviato da iPhone",
    "Enviado do meu iPhone",
    "Verstuurd vanaf mijn iPhone",
    "Skickat från min iPhone",
    "Sendt fra min iPhone",
    "Lähetetty iPhonesta",
    "Wysłane z iPhone'a",
    "Отправлено с iPhone",
    "iPhoneから送信",
    "发自我的iPhone",
    "나의 iPhone에서 보냄",
]

FORWARDS = [
    "---------- Forwarded message ---------",
    "Begin forwarded message:",
    "-------- Weitergeleitete Nachricht --------",
    "Anfang der weitergeleiteten Nachricht:",
    "Début du message transféré :",
    "---------- Mensaje reenviado ----------",
    "Inizio messaggio inoltrato:",
    "---------- Mensagem encaminhada ----------",
    "Begin doorgestuurd bericht:",
    "Vidarebefordrat brev:",
    "-------- Пересланное сообщение --------",
    "---------- 转发邮件 ----------",
    "---------- 전달된 메시지 ----------",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_an_attribution_in_any_language_ends_the_reply(attribution: str) -> None:
    for quote in ("> Guten Tag.\n> Adieu.", "Guten Tag.\nAdieu."):
        found = split(f"It flickers.\n\n{attribution}\n\n{quote}")
        assert found.reply_text == "It flickers."
        assert found.quoted_text.startswith(attribution)


@pytest.mark.parametrize("names", FIELDS.values(), ids=FIELDS)
def test_header_fields_in_any_language_end_the_reply(names: tuple[str, ...]) -> None:
    values = ("Haus Lampe <post@lampe.example>", "4. 3. 2025 09:15", "ann@mail.example", "Lampe")
    fields = "\n".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))
    found = split(f"It flickers.\n\n{fields}\n\nAdieu.", subject="Re: Lampe")
    assert found.reply_text == "It flickers."
    assert not found.is_forward


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_a_closing_in_any_language_begins_the_signature(signature: str) -> None:
    found = split(f"It flickers since Monday.\n\n{signature}\n")
    assert found.reply_text == "It flickers since Monday."
    assert found.signature == signature
    assert found.quotes_removed_text == f"It flickers since Monday.\n\n{signature}"


@pytest.mark.parametrize("line", DEVICES)
def test_the_line_of_a_device_is_signature(line: str) -> None:
    found = split(f"It flickers.\n\n{line}")
    assert (found.reply_text, found.signature) == ("It flickers.", line)


@pytest.mark.parametrize("separator", FORWARDS)
def test_a_forward_is_known_by_its_separator_in_any_language(separator: str) -> None:
    text = f"Please see to it.\n\n{separator}\nFrom: Ann <ann@mail.example>\nSubject: Lamp\n\nIt flickers."
    found = split(text)
    assert found.is_forward
    assert found.reply_text == "Please see to it."
    assert found.forwarded is not None
    assert (found.forwarded.subject, found.forwarded.text) == ("Lamp", "It flickers.")
