"""What machines write that answer mail: subjects of vacation programs, challenges, senders that nobody reads.

Tables of phrases in many languages, each one regular expression, searched without regard to case in text of
bounded length. An expression that begins with `^` decides by how the subject begins.
"""

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


_PREFIX = (
    r"auto(matic|mated)?[- _]?(reply|repl\.|response|respond(er|ed)|answer|antwort|svar|message)",
    r"(?-i:AUTO)(?=:)",
    r"automatische antwort|automatisch antwoord|automatisch(es)? (antwort|antwoord)",
    r"automatiskt? svar|autosvar|automaatvastus|automaatne vastus",
    r"автоматичен отговор|automatinis atsakymas|automātiskā atbilde|ตอบกลับอัตโนมัติ|resposta automàtica",
    r"الرد التلقائي|respuesta autom[aá]tica de ausencia|부재 ?중 자동 ?(회신|응답)",
    r"réponse automatique|reponse automatique|message automatique d'absence|absence du bureau",
    r"absent du bureau|message d'absence",
    r"respuesta autom[aá]tica|resposta autom[aá]tica|risposta automatica|r[aă]spuns automat",
    r"odpowied[zź] automatyczna|automatick[aáé] odpov[eě][dď]|automatikus v[aá]lasz",
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
    r"vacation (reply|message|notice|response)|currently (away|out of)",
    r"(not|nicht) (in|im) (the )?(office|b(ü|ue)ro)",
    r"abwesenheit\w{0,30}|abwesend|urlaubs?(benachrichtigung|meldung|notiz)|absence|absent(e)?\b",
    r"en cong[eé]s?\b",
    r"ausencia|ausente|fuera de (la )?oficina|de vacaciones|fora do escrit[oó]rio|aus[eê]ncia",
    r"ich bin (zurzeit |derzeit |momentan )?(im urlaub|nicht im b(ü|ue)ro|au(ß|ss)er haus)",
    r"(estou|estoy) de (f[eé]rias|vacaciones)",
    r"(sono )?in ferie|assente dall.ufficio|je suis (absent|en vacances)|en vacances",
    r"(ik ben )?(met|op) vakantie",
    r"(jestem )?na urlopie|(olen )?lomalla|(я )?в отпуске|jsem (mimo kancel[aá][rř]|na dovolen[eé])",
    r"szabadságon",
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
_AFTER_AWAY = r"\s*(?:[:(\[–—-]|$|auto|reply|message|notification|assistant|from |until |bis )"

_ANY_PREFIX = "|".join((*_PREFIX, *_AWAY_WORDS))

STARTS_AS_REPLY = _any(rf"{_BEFORE}(?:{'|'.join(_PREFIX)})\s*(?:[:：(\[–—-]|$)")
STARTS_AS_AWAY = _any(rf"{_BEFORE}(?:{'|'.join(_AWAY_WORDS)}){_AFTER_AWAY}")
STARTS_APART = _any(rf"\[\s*(?:{_ANY_PREFIX})\s*\]")
ENDS_APART = _any(rf"[\[(]\s*(?:{_ANY_PREFIX})\s*[\])]$")
"""The same in brackets of its own, at either end of a subject."""

AWAY = _any(*_AWAY_WORDS)
ANSWERS = _any(r"^(re|aw|sv|vs|antw|rif|odp)\s*:")
"""A subject by which a mail answers another one."""

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

NOBODY = _any(
    (
        r"^((no|do-?not|don-?t|not)[-_.]?reply([-+_.].*)?|bounces?([-+_.=].*)?|owner-.*|.*-(request|owner|"
        r"bounces?))@"
    ),
    (
        r"^(mailer-daemon|mail-daemon|postmaster|listserv|majordomo|notifications?|automated?|"
        r"auto-?mailer|nobody)@"
    ),
)
"""An address at which nobody reads answers."""

COMPLAINT = _any(
    r"^\s*(complaint about message from|(e-?mail )?(abuse|feedback) report|spam (complaint|report)\b)"
)
"""The subject under which providers pass on that a mail was called spam."""
