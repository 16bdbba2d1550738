"""The names of a mail's header fields as mail clients write them above what they quote, language by language.
Pure: data alone, and its lookup. All names are looked up `folded`.

A new language is one line. A name must mean the same in all of them, for nobody knows which language a mail
is quoted in; one that people write at the start of any line ("No: 5") is left out.
"""

from collections.abc import Mapping

from services.ingest.quote_words import folded

_FIELDS = {  # from, date, to, cc, subject; commas between the names for one thing
    "en": ("from, sender", "date, sent, received", "to", "cc, bcc, c.c", "subject, re"),
    "de": (
        "von, absender",
        "datum, gesendet, gesendet am, empfangen",
        "an",
        "kopie, kopie an",
        "betreff, betrifft",
    ),
    "fr": (
        "de, expéditeur",
        "date, envoyé, envoyé le, message du",
        "à, a, pour, destinataire",
        "cc, copie, cc à, copie à",
        "objet, sujet",
    ),
    "es": ("de, remitente", "fecha, enviado, enviado el", "para, a, destinatario", "cc, copia", "asunto"),
    "it": ("da, mittente", "data, inviato, inviato il", "a, destinatario", "cc, copia", "oggetto"),
    "pt": (
        "de, remetente",
        "data, enviado, enviada, enviada em, enviado em",
        "para, destinatário",
        "cc, cópia",
        "assunto",
    ),
    "nl": ("van, afzender", "datum, verzonden", "aan", "cc, kopie", "onderwerp"),
    "sv": ("från, avsändare", "datum, skickat", "till", "kopia", "ämne"),
    "da": ("fra, afsender", "dato, sendt", "til", "kopi", "emne"),
    "no": ("fra, avsender", "dato, sendt", "til", "kopi", "emne"),
    "fi": ("lähettäjä", "lähetetty, päivämäärä, päiväys", "vastaanottaja", "kopio", "aihe"),
    "pl": ("od, nadawca", "data, wysłano, wysłane", "do", "dw, kopia", "temat"),
    "cs": ("od, odesílatel", "datum, odesláno", "komu", "kopie", "předmět"),
    "sk": ("od, odosielateľ", "dátum, odoslané", "komu", "kópia", "predmet"),
    "hu": ("feladó", "dátum, küldve, elküldve", "címzett", "másolatot kap", "tárgy"),
    "ro": ("de la, expeditor", "data, dată, trimis, expediat", "către, catre", "cc", "subiect"),
    "ca": ("de", "data, enviat, enviat el", "a, per a", "cc", "assumpte, tema"),
    "el": ("από", "ημερομηνία, στάλθηκε", "προς", "κοιν", "θέμα"),
    "tr": (
        "kimden, gönderen",
        "tarih, gönderildi, gönderilen, gönderme tarihi",
        "kime, alıcı",
        "bilgi",
        "konu",
    ),
    "ru": ("от, от кого, отправитель", "дата, отправлено, дата отправки", "кому", "копия", "тема"),
    "uk": ("від", "дата, надіслано", "кому", "копія", "тема"),
    "he": ("מאת", "תאריך, נשלח", "אל", "עותק", "נושא"),
    "ar": ("من", "تاريخ, التاريخ, تم الإرسال, تاريخ الإرسال", "إلى", "نسخة", "الموضوع, موضوع"),
    "zh": (
        "发件人, 寄件人, 寄件者, 自",
        "日期, 发送时间, 發送時間, 发送日期, 时间, 寄件日期",
        "收件人, 收件者, 至",
        "抄送, 副本",
        "主题, 主題, 主旨, 主 题, 主 題",
    ),
    "ja": ("差出人, 送信者", "送信日時, 日付, 日時", "宛先", "cc", "件名"),
    "ko": (
        "보낸 사람, 보낸사람, 발신, 발신자",
        "보낸 날짜, 날짜, 보낸 시간",
        "받는 사람, 받는사람, 받은 사람, 수신자",
        "참조",
        "제목",
    ),
    "id": ("dari", "tanggal, dikirim", "kepada, ke", "tembusan", "subjek, perihal"),
    "ms": ("daripada", "tarikh, dihantar", "kepada", "sk", "subjek"),
    "vi": ("từ", "ngày, đã gửi, ngày gửi", "đến, tới", "cc", "chủ đề, tiêu đề"),
    "th": ("จาก", "ส่ง, วันที่, ส่งเมื่อ", "ถึง", "สำเนา", "เรื่อง, หัวเรื่อง"),
    "fa": ("از, فرستنده", "تاریخ, ارسال شده", "به, گیرنده", "رونوشت", "موضوع"),
    "bn": ("থেকে", "তারিখ", "প্রতি", "অনুলিপি", "বিষয়"),
    "is": ("frá, sendandi", "dagsetning, sent", "til", "afrit", "efni"),
    "bg": ("от", "изпратено, дата", "до", "копие", "относно, тема"),
    "hr": ("šalje, od", "poslano, datum", "prima, za", "kopija", "predmet"),
    "sr": (
        "od, šalje, од",
        "poslato, datum, послато",
        "za, prima, за",
        "kopija",
        "tema, naslov, тема, наслов",
    ),
    "sl": ("od", "poslano, datum", "za", "kp", "zadeva"),
    "lt": ("nuo", "išsiųsta, data", "kam", "kopija", "tema"),
    "lv": ("sūtītājs", "nosūtīts, datums", "kam", "kopija", "tēma, temats"),
    "et": ("saatja", "saadetud, kuupäev", "adressaat, saaja", "koopia", "teema"),
    "hi": ("प्रेषक, से, द्वारा", "दिनांक, भेजा गया", "प्रति", "प्रतिलिपि", "विषय"),
    "ta": ("அனுப்புநர்", "தேதி", "பெறுநர்", "நகல்", "பொருள்"),
}

_OTHER_FIELDS = (
    "reply-to, antwort an, répondre à, responder a, responder para, rispondi a, antwoord aan, svara till,"
    " svar til, organization, organisation, importance, wichtigkeit, priority, attachments, anlagen,"
    " pièces jointes, message-id, resent-from, newsgroups, mailing list, user-agent"
)

_KINDS = ("from", "date", "to", "cc", "subject")

_PLAIN_DATES = (
    "date, datum, fecha, data, dato, päivämäärä, päiväys, dátum, dată, ημερομηνία, tarih, дата, תאריך,"
    " تاريخ, التاريخ, 日期, 时间, 日付, 日時, 날짜, tanggal, tarikh, ngày, วันที่, تاریخ, তারিখ, dagsetning,"
    " datums, kuupäev, दिनांक, தேதி"
)
"""Names of the date that people use in forms of their own, too; the others mean when a mail was sent."""

SENT = "sent"
"""The kind of such another name."""

_NAMES_OF_DATES = frozenset(folded(name) for name in _PLAIN_DATES.split(", "))

FIELD_KINDS: Mapping[str, str] = {folded(name): "other" for name in _OTHER_FIELDS.split(", ")} | {
    folded(name): SENT if kind == "date" and folded(name) not in _NAMES_OF_DATES else kind
    for names in _FIELDS.values()
    for kind, several in zip(_KINDS, names, strict=True)
    for name in several.split(", ")
}
"""The kind of a header field by its name in any language: from, date, sent, to, cc, subject or other."""
