"""The words by which mail clients mark a quote, language by language. Pure: data alone, and its lookups.

A new language is one line in each table; nothing else. All words are looked up `folded`.
"""

import re
import unicodedata
from collections.abc import Mapping

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")


def folded(line: str) -> str:
    """A line as the tables have it: composed, in lower case, without what is not seen; spaces are one."""
    if not line.isascii():
        line = _INVISIBLE.sub("", unicodedata.normalize("NFC", line)).replace("’", "'")
    if "&nbsp;" in line:  # one of the large providers writes it into plain text
        line = line.replace("&nbsp;", " ")
    return " ".join(line.split()).casefold().replace("i\u0307", "i")


REPLY_MARKER = "reply above this line"
"""What stands, between dashes, at the top of the quotable part of our letters; English, see `MARKERS`."""

MARKERS: Mapping[str, str] = {
    "en": REPLY_MARKER,
    "de": "bitte über dieser zeile antworten",
    "es": "responda por encima de esta línea",
    "fr": "répondez au-dessus de cette ligne",
    "pt": "responda acima desta linha",
    "hi": "कृपया इस पंक्ति के ऊपर उत्तर दें",
    "ta": "இந்த வரிக்கு மேலே பதிலளிக்கவும்",
}
"""Our marker line in the languages of our letters. What stands below it was not written now."""

_OTHERS_MARKERS = (
    "please type your reply above this line",
    "type your reply above this line",
    "write your reply above this line",
    "please reply above this line",
    "please write above this line",
    "write above this line to reply",
    "to reply, please write above this line",
    "bitte antworten sie oberhalb dieser zeile",
    "antworten sie über dieser zeile",
    "veuillez répondre au-dessus de cette ligne",
    "por favor, escriba su respuesta por encima de esta línea",
    "escriba su respuesta por encima de esta línea",
    "digite sua resposta acima desta linha",
    "responda acima desta linha",
    "rispondi sopra questa riga",
    "typ uw antwoord boven deze regel",
    "antwoord boven deze lijn",
)

MARKER_PHRASE = re.compile(
    r"(?:please |in replies,? |to reply,? |when replying,? |to respond,? ){0,2}"
    r"(?:reply|respond|answer|write|type|enter|add|post)(?: your| a| my)?"
    r"(?: (?:reply|response|answer|comment|comments|message|text|email))? above this line"
    r"(?: to [^.]{1,60})?\.?"
    r"|reply above\. do not remove this line\.?"
    r"|(?:please )?do not (?:write|type|reply|edit|add anything) below this line\.?"
    r"|in replies all text above this line is added to the ticket\.?"
)
"""The same in English, in the words of many products; a whole folded line, without what decorates it."""

_WROTE = {
    "en": ("wrote", "writes"),
    "de": ("schrieb", "schreibt", "geschrieben"),
    "fr": ("a écrit", "écrit", "a ecrit"),
    "es": ("escribió", "escribio", "ha escrito"),
    "it": ("ha scritto", "scrive", "scritto"),
    "pt": ("escreveu", "escreveram"),
    "nl": ("schreef", "geschreven", "schreef het volgende"),
    "sv, da, no": ("skrev", "skrev följande", "skrev følgende", "skreiv"),
    "fi": ("kirjoitti",),
    "is": ("skrifaði",),
    "pl": ("napisał", "napisała", "napisał(a)", "pisze", "napisano", "napisana przez"),
    "cs": ("napsal", "napsala", "napsal(a)", "napsal/a"),
    "sk": ("napísal", "napísala", "napísal(a)", "napísal/a"),
    "sl, hr, sr": (
        "napisal",
        "napisala",
        "napisal(a)",
        "je napisal",
        "je napisala",
        "napisao",
        "napisala",
        "je napisao/la",
        "је написао",
    ),
    "hu": ("írta", "ezt írta"),
    "ro": ("a scris",),
    "ca": ("va escriure", "ha escrit", "missatge de"),
    "et": ("kirjutas",),
    "lv": ("rakstīja",),
    "lt": ("rašė", "parašė"),
    "el": ("έγραψε", "έγραψαν"),
    "tr": ("yazdı", "şunu yazdı", "şunları yazdı"),
    "ru": ("написал", "написала", "написал(а)", "пишет", "писал", "писал(а)", "писали"),
    "uk": ("написав", "написала", "написав(-ла)", "пише"),
    "bg": ("написа",),
    "he": ("כתב", "כתבה", "כתב/ה"),
    "ar": ("كتب", "كتبت"),
    "fa": ("نوشت",),
    "id, ms": ("menulis",),
    "vi": ("đã viết",),
    "hi": ("ने लिखा",),
    "ta": ("எழுதினார்", "எழுதியது"),
    "bn": ("লিখেছেন",),
    "af": ("geskryf", "het geskryf"),
    "gl": ("escribiu",),
    "eu": ("idatzi du", "idatzi dau"),
    "sq": ("shkroi", "ka shkruar"),
    "mk": ("напиша",),
    "sw": ("aliandika",),
    "fil": ("sinulat ni",),
    "ur": ("نے لکھا",),
}

TOLD = re.compile(
    r"\b(?:i|we|he|she|they) wrote\b|\bwrote (?:me|us|to|that|back)\b"
    r"|\b(?:ich|wir) schrieb|\bschrieb (?:ich|wir|mir|uns|er|sie)\b|\bhat (?:mir|uns|er|sie)\b"
    r"|\b(?:mir|uns) geschrieben"
    r"|\b(?:j'ai|nous avons|m'a|nous a) écrit|\b(?:yo |nosotros )?(?:le|me|nos|les) (?:escrib|ha escrito)"
    r"|\b(?:mi|ci|gli|le) (?:ha|hanno) scritto|\bho scritto|\b(?:me|nos|lhe) escrev"
    r"|\bik schreef|\bschreef (?:ik|mij)\b"
    r"|\bskrev (?:jag|jeg|han|hun|hon|til|till)\b|\bя (?:написал|писал|пишу)|\bмне написал"
)
"""A person tells that somebody wrote: no client's words."""

CITES = re.compile(
    r"(?:quoting|zitat von|citando(?: a)?|selon|citeren|cytowanie|cytat|cituji|citujem|citiram|citerar"
    r"|citerer|lainaus|idézet|citant(?: a)?|цитирую|цитата) .{1,200}:$"
)
"""What some clients write before the writer, and nothing else."""

_WROTE_UNSPACED = {
    "zh": ("写道", "寫道", "写到"),
    "ja": ("書きました", "書き込みました", "のメール", "のメッセージ"),
    "ko": ("님이 작성", "작성", "쓴 글"),
    "th": ("เขียนว่า",),
    "mr": ("लिहिले",),
    "gu": ("લખ્યું",),
    "te": ("రాశారు",),
    "ml": ("എഴുതി",),
    "kn": ("ಬರೆದಿದ್ದಾರೆ",),
    "pa": ("ਲਿਖਿਆ",),
}
"""In writing without spaces between words, or with endings joined to them."""

_ORIGINAL = {
    "en": ("original message", "original mail", "original email", "original appointment", "reply message",
           "replied message"),
    "de": ("ursprüngliche nachricht", "originalnachricht", "original nachricht", "original-nachricht",
           "ursprüngliche e-mail", "ursprüngliche mail", "ursprünglicher termin", "antwortnachricht",
           "antwort nachricht"),
    "fr": ("message d'origine", "message original", "message initial", "courriel original", "mail original",
           "rendez-vous d'origine"),
    "es": ("mensaje original", "correo original", "cita original"),
    "it": ("messaggio originale", "messaggio di origine", "appuntamento originale"),
    "pt": ("mensagem original", "compromisso original"),
    "nl": ("oorspronkelijk bericht", "origineel bericht"),
    "is": ("upprunaleg skilaboð", "upprunalegur póstur"),
    "hr, sr": ("izvorna poruka", "originalna poruka", "изворна порука", "оригинална порука"),
    "sl": ("izvirno sporočilo", "originalno sporočilo"),
    "et": ("algne teade", "algne sõnum", "algsõnum", "algne kiri"),
    "lv": ("sākotnējais ziņojums", "oriģinālais ziņojums"),
    "lt": ("pradinis laiškas", "originalus laiškas", "pirminis laiškas"),
    "ca": ("missatge original",),
    "sv": ("ursprungligt meddelande", "originalmeddelande"),
    "da": ("oprindelig meddelelse", "original meddelelse", "oprindelig besked", "original besked"),
    "no": ("opprinnelig melding", "original melding"),
    "fi": ("alkuperäinen viesti", "alkuperäinen sähköposti"),
    "pl": ("wiadomość oryginalna", "oryginalna wiadomość", "treść oryginalnej wiadomości"),
    "cs": ("původní zpráva", "původní e-mail"),
    "sk": ("pôvodná správa", "pôvodný e-mail"),
    "hu": ("eredeti üzenet", "eredeti levél"),
    "ro": ("mesaj original", "mesajul original"),
    "el": ("αρχικό μήνυμα",),
    "tr": ("orijinal mesaj", "özgün ileti", "orijinal ileti"),
    "ru": ("исходное сообщение", "оригинальное сообщение", "исходное письмо", "первоначальное сообщение"),
    "uk": ("вихідне повідомлення", "оригінальне повідомлення", "початкове повідомлення"),
    "bg": ("оригинално съобщение", "оригинално писмо"),
    "he": ("הודעה מקורית",),
    "ar": ("الرسالة الأصلية", "رسالة أصلية"),
    "fa": ("پیام اصلی",),
    "zh": ("原始邮件", "原始郵件", "原邮件", "原始信件", "邮件原件", "郵件原件", "回复的原邮件",
           "回覆的原郵件", "原始讯息", "原始訊息"),
    "ja": ("元のメッセージ", "オリジナルメッセージ", "元のメール"),
    "ko": ("원본 메시지", "원본 메일", "원본 이메일", "원래 메시지"),
    "hi": ("मूल संदेश",),
    "ta": ("அசல் செய்தி",),
    "th": ("ข้อความดั้งเดิม", "ข้อความต้นฉบับ"),
    "vi": ("thư gốc", "tin nhắn gốc", "thông điệp gốc"),
    "id, ms": ("pesan asli", "mesej asal"),
}  # fmt: skip

_FORWARDED = {
    "en": ("forwarded message", "begin forwarded message", "start of forwarded message", "forwarded mail"),
    "de": ("weitergeleitete nachricht", "anfang der weitergeleiteten nachricht",
           "anfang der weitergeleiteten e-mail", "weitergeleitete mail", "weitergeleitet"),
    "fr": ("message transféré", "début du message transféré", "début du message réexpédié",
           "courriel transféré", "message transmis"),
    "es": ("mensaje reenviado", "inicio del mensaje reenviado", "comienzo del mensaje reenviado"),
    "it": ("messaggio inoltrato", "inizio messaggio inoltrato"),
    "pt": ("mensagem encaminhada", "mensagem reencaminhada", "início da mensagem reencaminhada",
           "início da mensagem encaminhada"),
    "nl": ("doorgestuurd bericht", "begin doorgestuurd bericht"),
    "sv": ("vidarebefordrat meddelande", "vidarebefordrat brev", "vidarebefordrat mejl"),
    "da": ("videresendt meddelelse", "videresendt besked", "start på videresendt besked", "videresendt mail"),
    "no": ("videresendt melding", "begynnelse på videresendt melding", "videresendt e-post"),
    "fi": ("edelleenlähetetty viesti", "välitetty viesti", "välitetty viesti alkaa", "välitetty posti"),
    "pl": ("przekazana wiadomość", "wiadomość przekazana", "początek przekazywanej wiadomości",
           "treść przekazanej wiadomości", "wiadomość przekazana dalej"),
    "cs": ("přeposlaná zpráva", "předaná zpráva", "začátek přeposlané zprávy"),
    "sk": ("preposlaná správa", "začiatok preposlanej správy"),
    "hu": ("továbbított üzenet", "továbbított levél", "továbbított üzenet kezdete"),
    "ro": ("mesaj redirecționat", "mesaj transmis mai departe", "început mesaj redirecționat"),
    "el": ("προωθημένο μήνυμα", "έναρξη προωθημένου μηνύματος"),
    "tr": ("yönlendirilen ileti", "iletilmiş mesaj", "yönlendirilen e-posta", "iletilen mesaj başlangıcı",
           "yönlendirilmiş ileti", "iletilmiş ileti", "yönlendirilmiş mesaj",
           "yönlendirilen ileti başlangıcı", "iletilen ileti"),
    "ru": ("пересланное сообщение", "пересылаемое сообщение", "начало переадресованного сообщения",
           "начало пересылаемого сообщения", "пересылаемое письмо", "перенаправленное сообщение"),
    "uk": ("переслане повідомлення", "початок переадресованого повідомлення"),
    "he": ("הודעה שהועברה", "תחילת ההודעה המועברת"),
    "ar": ("رسالة معاد توجيهها", "بداية الرسالة المعاد توجيهها"),
    "zh": ("转发的邮件", "转发邮件", "转发邮件信息", "轉寄郵件", "轉寄的郵件", "已转发邮件",
           "下面是被转发的邮件", "開始轉寄郵件", "开始转发的邮件", "转发的消息", "轉寄訊息"),
    "ja": ("転送メッセージ", "転送されたメッセージ", "転送されたメール", "転送メール"),
    "ko": ("전달된 메시지", "전달된 메일", "전달된 편지"),
    "hi": ("अग्रेषित संदेश",),
    "ta": ("முன்னனுப்பப்பட்ட செய்தி",),
    "id": ("pesan terusan", "pesan yang diteruskan"),
    "vi": ("thư đã chuyển tiếp", "tin nhắn chuyển tiếp"),
    "bg": ("препратено съобщение", "препратено писмо"),
    "hr, sr": ("proslijeđena poruka", "prosleđena poruka", "прослеђена порука"),
    "sl": ("posredovano sporočilo",),
    "lt": ("persiųstas laiškas", "persiųstas pranešimas"),
    "lv": ("pārsūtīts ziņojums",),
    "et": ("edastatud kiri", "edastatud sõnum"),
    "ca": ("missatge reenviat",),
    "fa": ("پیام هدایت شده", "پیام بازارسال شده"),
    "th": ("ข้อความที่ส่งต่อ",),
}  # fmt: skip

FORWARDED_BY = ("forwarded by ", "weitergeleitet von ", "réacheminé par ", "transféré par ", "reenviado por ",
                "inoltrato da ", "doorgestuurd door ")  # fmt: skip
"""Starts of a separator that goes on with who forwarded it, and when."""

FORWARD_PREFIXES = frozenset(
    "fw fwd wg tr rv i enc vb pd vl doorst ilt továbbítás προωθ пересл 转发 轉寄 转 転送 전달 trs".split()
)
"""What mail clients put before the subject of a forward."""

ORIGINAL = frozenset(folded(word) for words in _ORIGINAL.values() for word in words)
FORWARDED = frozenset(folded(word) for words in _FORWARDED.values() for word in words)
ALL_MARKERS = frozenset(folded(words) for words in (*MARKERS.values(), *_OTHERS_MARKERS))

ORIGINAL_IN_RULES = frozenset(("original", "原文", "원문"))
"""Shorter words for it, which mean it only between dashes across the page."""

_UNSPACED = [re.escape(folded(word)) for words in _WROTE_UNSPACED.values() for word in words]
_WORDS = sorted(
    (re.escape(folded(word)) for words in _WROTE.values() for word in words), key=len, reverse=True
)
WROTE = re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS)})(?!\w)|{'|'.join(_UNSPACED)}")
"""A word for writing, in a folded line."""

WROTE_LAST = frozenset(folded(word).rpartition(" ")[2] for words in _WROTE.values() for word in words)
"""The last words of those."""
