"""The words that tell a line written by a person from one that a mail client put above a quote. Pure: data
alone, looked up `folded`.

A client names the writer and nobody else: no "I" and no "you", nothing that is mine or yours. Left out are
words that clients write as well in another language ("su", "u", "am"), or that are common names.
"""

import re

_MONTHS = "jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|dic|ene|gen"

_TELLING = (
    # en, de
    r"i|you|we|they|my|your|our|his|her|their|me|us|him|them"
    r"|ich|wir|ihr|sie|mir|uns|ihnen|dir|euch|(?:mein|dein|unser|ihr|euer|eur|sein)(?:e|er|en|em|es)"
    r"|mein|dein|unser|euer|habe|haben|hatte|hatten|hattet|habt"
    # fr, es, pt, it
    r"|je vous|je lui|je leur|je t'ai|j'ai|j'avais|nous|vous|elle|ils|votre|notre|vos|nos|mes|leur|m'a|m'avez"
    rf"|(?:mon|ma) (?!{_MONTHS})[^\W\d_]{{3,20}}"
    r"|yo|usted|ustedes|nosotros|mis|nuestr[oa]s?|vuestr[oa]s?"
    r"|(?:su|mi) (?:compañer|colega|colaborador|agente|empresa|equipo|servicio|marido|mujer|jef|banco)"
    r"[^\W\d_]{0,8}"
    r"|eu|você|vocês|meu|minha|seu|sua|nosso|nossa|lhe"
    r"|voi|noi|vi ho|mi ha|mi avete|ci avete|avete|abbiamo|avevo|mio|vostr[oaie]|nostr[oaie]"
    # nl, sv, da, no
    r"|ik|jij|jullie|wij|mij|ons|uw|mijn|onze|jouw|heb|hebt|hebben|heeft u|schreef u"
    r"|jag|jeg|ni|dere|deres|vår|vårt|våra|vores|din|ditt|mig|oss"
    # pl, cs, sk, sl, hr, hu, ro
    r"|państwo|państwa|mój|moja|moje|nasz|nasza|wasz|jsem|jste|jsme|som|ste|sme|můj|váš|vaše|náš|vám"
    r"|vaš|vaša|naš|ön|önök|én|az ön|nekem|mi-a|mi-ați|ne-a|ne-ați|v-am|dvs|dumneavoastră|colegul"
    # el, tr, fi, ru, uk, bg
    r"|εγώ|εσείσ|σασ|μου|μασ|siz|bana|sizin|bizim|minä|teidän|minulle"
    r"|я|вы|ты|мы|он|она|мне|нам|вам|вас|мой|моя|ваш\w{0,4}|наш\w{0,4}|ви|ти|ми|мені|аз|вие"
    # somebody who is no name: "the driver wrote"
    r"|the [^\W\d_]{3,20}(?: [^\W\d_]{1,20}){0,2} wrote|what|schrieb (?:der|die|das|ein|eine|einer)"
    r"|(?:le |la |l'|un |une )[^\W\d_]{3,20}(?: [^\W\d_]{1,20})? a écrit|voici|ce que"
    r"|(?:el|la|los|las|un|una) [^\W\d_]{3,20}(?: [^\W\d_]{1,20})? escribi(?:ó|o|eron)"
    r"|(?:il |lo |la |l'|un |una )[^\W\d_]{3,20}(?: [^\W\d_]{1,20})? ha scritto"
    r"|(?:o|a|um|uma) [^\W\d_]{3,20}(?: [^\W\d_]{1,20})? escreveu|schreef (?:de|het|een)"
    # he, ar, fa, hi, ta, vi, id
    r"|אני|אתם|אתה|לכם|לי|שלכם|أنا|أنت|أنتم|لي|لكم|زميلكم|زميلك|من به|شما به|मैंने|आपने|हमने|आपके|நான்|நீங்கள்"
    r"|tôi|bạn|saya|anda|kami"
)

TELLS = re.compile(
    rf"(?<![\w'.@-])(?:{_TELLING})(?![\w'@.-])"
    r"|[我您你][^\d]{0,8}(?:写|寫)|私(?:が|は)|貴社|御社|あなた|제가|저희|당신|ฉัน|ผม"
)
"""A person speaks of himself or to the reader."""

AT_DATE = frozenset("on am le el il em op den dne dnia på στισ la".split())
"""How the words begin by which clients say when: what stands before one of these is somebody's own."""
