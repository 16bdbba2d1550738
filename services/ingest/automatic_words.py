"""What machines write that answer mail: subjects of vacation programs, challenges, senders that nobody reads.

Tables of phrases in many languages, each one regular expression, searched without regard to case in text of
bounded length. An expression that begins with `^` decides by how the subject begins.
"""

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


_PREFIX = (
    r"auto(matic|mated)?[- _]?(reply|repl\.|response|respond(er|ed)|answer|antwort|svar|message)",
    r"auto[- _]?respons|oof(?=:)|auto[- _]?(reply|response)( message)? from \S{1,80}@\S{1,80}",
    r"automatische antwort|automatisch antwoord|automatisch(es)? (antwort|antwoord)",
    r"automatiskt? svar|autosvar|automaatvastus|automaatne vastus|sjálfvirkt svar",
    r"автоматичен отговор|automatinis atsakymas|automātisk[aā]s? atbilde|ตอบกลับอัตโนมัติ",
    r"resposta automàtica",
    r"erantzun automatikoa|پاسخ خودکار|balasan automatik|thư trả lời tự động|risposta non al computer",
    r"automatisk frav[aæ]r\w{0,3}|afwezigheidsbericht",
    r"الرد التلقائي|respuesta autom[aá]tica de ausencia|부재 ?중 자동 ?(회신|응답)",
    r"réponse automatique|reponse automatique|message automatique d'absence|absence du bureau",
    r"absent du bureau|message d'absence",
    r"respuesta autom[aá]tica|resposta autom[aá]tica|risposta automatica|r[aă]spuns automat",
    r"odpowied[zź] automatyczna|automatyczna odpowied[zź]|automatick[aáé] odpov[eě][dď]",
    r"automatikus v[aá]lasz",
    r"samodejni odgovor",
    r"automatski odgovor|automaattinen vastaus|otomatik yan[ıi]t|balasan otomatis|trả lời tự động",
    r"автоответ|автоматический ответ|автоматична відповідь|αυτόματη απάντηση|תשובה אוטומטית",
    r"مساعد خارج المكتب",
    r"رد تلقائي|स्वचालित उत्तर|स्वतः उत्तर|தானியங்கி பதில்|தானியங்கு பதில்|การตอบกลับอัตโนมัติ",
    r"自動(返信|応答|回覆|回复)|不在通知|自动(回复|答复)|자동 ?(회신|응답)|부재",
)
_AWAY_WORDS = (
    r"out[- ]of[- ](the[- ])?office|ooo(?=:)|away from (the|my) (office|desk|mail|email)",
    r"(i am |i'm )?on (vacation|leave|holiday)",
    r"(i am |i'm |i will be )(currently )?(away|out of (the )?office)",
    r"vacation (reply|message|notice|response)|currently (away|out of)",
    r"(not|nicht) (in|im) (the )?(office|b(ü|ue)ro)",
    r"abwesenheit\w{0,30}|abwesend|urlaubs?(benachrichtigung|meldung|notiz)|absence|absent(e)?\b",
    r"(je suis )?en cong[eé]s?\b",
    r"ausencia|ausente|fuera de (la )?oficina|de vacaciones|fora do escrit[oó]rio|aus[eê]ncia",
    r"ich bin (zurzeit |derzeit |momentan )?(im urlaub|nicht im b(ü|ue)ro|au(ß|ss)er haus)",
    r"(estou|estoy) de (f[eé]rias|vacaciones)",
    r"(sono )?in ferie|assente dall.ufficio|je suis (absent|en vacances)|en vacances",
    r"(ik ben )?(met|op) vakantie",
    r"(jestem )?na urlopie|(olen )?lomalla|(я )?в отпуске|jsem (mimo kancel[aá][rř]|na dovolen[eé])",
    r"szabadságon( vagyok)?|au(ß|ss)er haus|ute av kontoret|på (semester|ferie)|met verlof|vuosilomalla",
    r"na dovolenk[eá]|(я )?у відпустці|tatildeyim|ei kohal",
    r"(şu an )?izindeyim|休暇中|休假通知",
    r"em f[eé]rias|de f[eé]rias|assenza|poza biurem|poissa toimistosta|нет на месте|nep[rř][ií]tomnos[tť]",
    r"h[aá]zon k[ií]v[uü]l|ofis d[ıi]ş[ıi]nda|εκτός γραφείου|în concediu|di luar kantor|خارج المكتب",
    r"מחוץ למשרד",
    r"不在のお知らせ|不在(办公室|辦公室)|부재 ?중|(ikke|inte) på kontoret|извън офиса|izvan ureda",
    r"izven pisarne",
    r"afwezig\w{0,14}|niet aanwezig|fuori (sede|ufficio)|assente|in ferie|fr[aå]nv[aä]r\w{0,8}",
    r"poissa|frav[aæ]r\w{0,8}",
    r"nieobecno[sś][cć]|mimo kancel[aá][rř]|отсутств|вне офиса|不在|休暇|외출|कार्यालय से बाहर|अवकाश",
    r"அலுவலகத்தில் இல்லை|விடுமுறை",
)

_BEFORE = r"^(?:(?:re|aw|sv|\[[^\]]{1,40}\])\s*:?\s*){0,3}"
_AFTER_AWAY = (
    r"\s*(?:[:：(\[–—-]|$|auto|reply|message|notification|assistant|from |until |till |bis |"
    r"(?:jusqu|hasta|fino|até|tot)[^\d\n]{1,15}\d)"
)

_ANY_PREFIX = "|".join((*_PREFIX, *_AWAY_WORDS))

STARTS_AS_REPLY = _any(rf"{_BEFORE}(?:{'|'.join(_PREFIX)})\s*(?:[:：(\[–—-]|$)")
STARTS_AS_AWAY = _any(rf"{_BEFORE}(?:{'|'.join(_AWAY_WORDS)}){_AFTER_AWAY}")
OPENING_MARKS = ("[", "【", "(", "（")
CLOSING_MARKS = ("]", "】", ")", "）")
STARTS_APART = _any(rf"[\[【]\s*(?:{_ANY_PREFIX})\s*[\]】]", rf"[(（]\s*(?:{'|'.join(_PREFIX)})\s*[)）]")
ENDS_APART = _any(rf"[\[(【（]\s*(?:{_ANY_PREFIX})(?:\s*[–—:-][^\[\]()]{{0,60}})?\s*[\])】）]$")
"""The same in brackets of its own, at either end of a subject."""

STARTS_AS_DOMINO = _any(rf"{_BEFORE}auto\s*:")
"""What begins the subject of an answer, and of much else: other signs must come to it."""

AWAY = _any(*_AWAY_WORDS)
ANSWERS = _any(r"^(re|aw|sv|vs|antw|rif|odp)\s*:")
"""A subject by which a mail answers another one."""

SAYS_AUTOMATIC = re.compile(
    r"^\W{0,6}(?:please note:? (?:that )?)?(?:"
    r"this (?:e-?mail |message |reply )?is an? (?:automat(?:ed|ic)|auto-?generated)|"
    r"this (?:e-?mail|message|reply|response) (?:was|is|has been) (?:sent |generated )?automatically|"
    r"dies(?:e nachricht|e e-?mail|e antwort)? (?:ist eine|wurde) automatisch|"
    r"ce(?:ci|t e-?mail| message| courriel)? (?:est|a été) [^\n]{0,20}automatique|"
    r"est[ea] (?:es|mensaje|correo|respuesta|é|mensagem|resposta) [^\n]{0,25}autom[aá]tic|"
    r"quest[ao] (?:è|messaggio|risposta|e-?mail) [^\n]{0,25}automatic|"
    r"(?:dit is een|deze (?:e-?mail|mail|reactie) is) automatisch|"
    r"det(?:ta|te) (?:är|er) ett? automatisk|to jest (?:wiadomość )?automatyczn|"
    r"это автоматическ|本(?:邮件|郵件)(?:由|为)[^\n]{0,8}自[动動]|(?:この|本)メールは[^\n]{0,12}自動)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line by which an answer says that nobody wrote it."""

OPENING_ENDS = re.compile(r"^(?:\s{0,4}>|\W{0,4}\w{1,14} ?:\s|[-_*=]{5}|.{0,300}:\s*$)", re.MULTILINE)
"""The line at which what an answer says itself may end, and the mail that it answers begin."""

CHALLENGE_SUBJECT = _any(
    r"please (confirm|verify) (your|that you|the) (message|e-?mail|mail|sent|are)",
    r"sender (verification|confirmation)",
    (
        r"your (message|e-?mail|mail)[^\n]{0,80}(requires|awaits|awaiting|needs) (your )?(verification|"
        r"confirmation)"
    ),
    r"confirm(ation)? (is )?(required|needed)[^\n]{0,40}(deliver|message|mail)",
    r"\bverify#|challenge[- ]response|\[spamarrest\]|boxbe",
)
CHALLENGE_TEXT = _any(
    r"(reply to|click|visit|follow)[^\n]{0,200}(link|confirm|verify|message|below)",
    r"(confirm|verify)[^\n]{0,80}(deliver|human|real person|not (a )?spam|sender)",
)
"""What a filter writes that wants the sender to prove that they are a person."""

CHALLENGE_LIST = _any(
    (
        r"(your|sender's) (e-?mail )?address[^.]{0,60} (recipient's|my|their|his|her)[^.]{0,30}"
        r"(allowed|approved|guest|safe|white|trusted)[^.]{0,12}list"
    ),
    r"add yourself to (my|the recipient's|their|his|her)[^.\n]{0,40}list",
)
"""The list of a filter that an answer asks its recipient to enter themselves on."""

NOBODY = _any(
    (
        r"^((.{1,40}[-_.])?(no|do[-_.]?not|don[-_.]?t|not)[-_.]?reply([-+_.].*)?|bounces?([-+_.=].*)?|owner-.*|"
        r".*-(request|owner|bounces?|confirm|errors?))@"
    ),
    (
        r"^((mailer|mail)-daemon([-+_.].*)?|daemon|postmaster|listserv|majordomo|mailman|notifications?|alerts?|"
        r"automated?|auto-?(mailer|reply|responder|response)|mailer|nobody|www-data|root|cron|newsletters?)@"
    ),
    (
        r"^(nicht[-_.]?antworten|keine[-_.]?antwort|ne[-_.]?pas[-_.]?repondre|no[-_.]?(responder|responda|contestar)|"
        r"nao[-_.]?(responda|responder)|non[-_.]?rispondere|niet[-_.]?(be)?antwoorden|geen[-_.]?antwoord|"
        r"inte[-_.]?svara|svara[-_.]?ej|ikke[-_.]?svar|nie[-_.]?odpowiadaj|neodpovidat)([-+_.].*)?@"
    ),
)
"""An address at which nobody reads answers."""

COMPLAINT = _any(
    r"^\s*(complaint about message from|(e-?mail )?(abuse|feedback) report|spam (complaint|report)\b)"
)
"""The subject under which providers pass on that a mail was called spam."""
