"""The warning that a company's mail gateway puts above what came from outside. Pure, never raises.

It is the gateway's, not the writer's, and stands above every mail of a customer where there is such a
gateway. It is told by four signs together in the first paragraph: it begins as a warning, says that the mail
came from outside, and tells what not to do with links, attachments or senders.
"""

import re
from collections.abc import Sequence

from services.ingest.quote_words import folded

MOST_LINES = 8
"""Lines of such a warning that are not empty."""

LONGEST = 800
"""Characters of it."""

_AROUND = "*_[]()<>!|#=- \t\N{WARNING SIGN}\N{VARIATION SELECTOR-16}"
_WARNS = re.compile(
    r"(?:caution|warning|attention|external|notice|alert|achtung|vorsicht|warnung|hinweis|extern|avertissement|prudence"
    r"|externe|atención|precaución|advertencia|aviso|externo|attenzione|avviso|esterno|atenção|cuidado|waarschuwing"
    r"|let op|varning|advarsel|obs|huom|varoitus|uwaga|ostrzeżenie|upozornění|pozor|внимание|осторожно)\b"
)
_OUTSIDE = re.compile(
    r"\b(?:outside|external|externally|extern\w{0,3}|außerhalb|ausserhalb|extérieure?|exterior|fuera|estern[oa]|fora"
    r"|buiten|utanför|udenfor|utenfor|ulkopuol\w{0,6}|zewnętrzn\w{1,3}|spoza|externí\w{0,3}|mimo|внешн\w{2,3}|извне)\b"
)
_DO_NOT = re.compile(
    r"\b(?:do not|don't|never|unless|careful|caution|beware|nicht|keine|vorsicht\w{0,2}|ne|pas|no"
    r"|não|non|geen|niet|inte|ikke|älä|nie|не)\b"
)
_CAREFUL = re.compile(
    r"\b(?:links?|click|attachments?|recogni[sz]e|trusted|sender|anhäng\w{1,2}|anlagen|klicken|absender\w?|liens?"
    r"|pièces jointes|cliquez|expéditeur|enlaces|adjuntos|remitente|collegamenti|allegati|mittente|anexos"
    r"|remetente|bijlagen?|koppelingen|afzender|länkar|bilagor|avsändare|vedhæft\w{2,6}|vedlegg|liitte\w{1,4}|linków|linki"
    r"|załącznik\w{1,3}|nadawc\w{1,2}|odkaz\w{1,2}|přílo\w{1,3}|ссылк\w{1,3}|вложени\w{1,2})\b"
)


def banner_end(lines: Sequence[str]) -> int:
    """The line after such a warning at the top of the text; 0 when there is none."""
    start = next((at for at, line in enumerate(lines) if line.strip(_AROUND)), len(lines))
    end, size = start, 0
    while end < len(lines) and lines[end].strip() and end - start < MOST_LINES and size <= LONGEST:
        size += len(lines[end])
        end += 1
    if end == start or size > LONGEST:
        return 0
    words = folded(" ".join(lines[start:end]).strip(_AROUND))
    signs = (_OUTSIDE, _DO_NOT, _CAREFUL)
    return end if _WARNS.match(words) and all(sign.search(words) for sign in signs) else 0
