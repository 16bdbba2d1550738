"""The words by which people and devices sign, language by language. Pure: data alone,"
" looked up `folded`.

A new language is one line in each table; nothing else.
"""

import re
import unicodedata

from services.ingest.quote_words import folded

_ACCENTS = re.compile("[\u0300-\u036f]")


def bare(words: str) -> str:
    """Folded words without their accents: many people leave them out when they sign."""
    return words if words.isascii() else _ACCENTS.sub("", unicodedata.normalize("NFD", words))


_CLOSINGS = {
    "en": "regards, best regards, kind regards, kindest regards, warm regards,"
    " warmest regards, with regards,"
    " with best regards, with kind regards, many regards, regards and thanks, thanks and regards,"
    " thanks & regards, thank you and regards, thanks and best regards, thanks and kind regards,"
    " sincerely, yours sincerely, sincerely yours, yours truly, yours faithfully, yours respectfully,"
    " respectfully, respectfully yours, best wishes, with best wishes, warm wishes,"
    " with gratitude, rgds, brgds",
    "de": "mit freundlichen grüßen, mit freundlichem gruß, mit besten grüßen, mit freundlichen grüssen,"
    " mit herzlichen grüßen, freundliche grüße, beste grüße, viele grüße, liebe grüße, herzliche grüße,"
    " schöne grüße, freundlichen gruß, freundlicher gruß, lieben gruß, schönen gruß, gruß, grüße,"
    " viele liebe grüße, mfg, lg, vg, hochachtungsvoll, besten gruß, freundlich grüßt, es grüßt",
    "fr": "cordialement, bien cordialement, très cordialement, bien à vous, bien à toi,"
    " sincèrement, amicalement,"
    " sincères salutations, salutations, meilleures salutations, salutations distinguées,"
    " cdlt, cdt, crdlt,"
    " respectueusement, avec mes salutations, à bientôt et bonne journée",
    "es": "saludos, un saludo, saludos cordiales, un cordial saludo, cordiales saludos, atentamente,"
    " muy atentamente, un abrazo, cordialmente, reciba un cordial saludo, gracias y saludos, atte",
    "it": "cordiali saluti, distinti saluti, saluti, cordialmente, un saluto,"
    " un cordiale saluto, i migliori saluti,"
    " con i migliori saluti, cari saluti, tanti saluti, grazie e saluti, grazie e cordiali saluti",
    "pt": "atenciosamente, cumprimentos, com os melhores cumprimentos,"
    " melhores cumprimentos, saudações,"
    " cordialmente, um abraço, abraço, abraços, att, obrigado e cumprimentos, respeitosamente",
    "nl": "met vriendelijke groet, met vriendelijke groeten, vriendelijke groet, vriendelijke groeten,"
    " hartelijke groet, hartelijke groeten, groet, groeten, groetjes, mvg,"
    " met hartelijke groet, hoogachtend",
    "sv": "med vänlig hälsning, med vänliga hälsningar, vänliga hälsningar, vänlig hälsning,"
    " mvh, hälsningar,"
    " hälsning, bästa hälsningar, vänligen, med vänlig hälsningar",
    "da": "med venlig hilsen, venlig hilsen, med venlige hilsner, de bedste hilsner,"
    " bedste hilsner, mange hilsner,"
    " hilsen, hilsner, kærlig hilsen, kh, vh, vlh, dbh, mvh, de bedste hilsener, mange hilsener",
    "no": "med vennlig hilsen, vennlig hilsen, med vennlige hilsener, beste hilsen,"
    " beste hilsner, hilsen, mvh",
    "is": "með kveðju, kveðja, bestu kveðjur, kær kveðja",
    "fi": "ystävällisin terveisin, ystävällisesti, terveisin, parhain terveisin, yst. terv,"
    " terv, kunnioittavasti, yt",
    "pl": "pozdrawiam, z poważaniem, pozdrowienia, z pozdrowieniami, serdecznie pozdrawiam,"
    " pozdrawiam serdecznie, z wyrazami szacunku, łączę wyrazy szacunku",
    "cs": "s pozdravem, s přátelským pozdravem, s úctou, zdravím, s pozdravom, s úctou a pozdravem,"
    " s přáním hezkého dne, s přáním pěkného dne",
    "sk": "s pozdravom, s priateľským pozdravom",
    "sl, hr, sr": "lep pozdrav, lijep pozdrav, поздрав, lp, s poštovanjem, srdačan pozdrav, pozdrav,"
    " s spoštovanjem,"
    " с поштовањем",
    "hu": "üdvözlettel, tisztelettel, üdv, szívélyes üdvözlettel, köszönettel",
    "ro": "cu respect, cu stimă, o zi bună, cu drag, toate cele bune, cu prietenie",
    "ca": "salutacions, salutacions cordials, cordialment, atentament",
    "et": "lugupidamisega, tervitades, tervitustega, parimate soovidega",
    "lv": "ar cieņu",
    "lt": "pagarbiai",
    "el": "με εκτίμηση, φιλικά, με φιλικούς χαιρετισμούς",
    "tr": "saygılarımla, saygılarımızla, iyi çalışmalar, iyi çalışmalar dilerim, sevgiler,"
    " selamlar, saygılar",
    "ru": "с уважением, с наилучшими пожеланиями, с приветом, искренне ваш, всего доброго",
    "uk": "з повагою, з найкращими побажаннями",
    "bg": "поздрави, с уважение",
    "he": "בתודה, בברכה, בכבוד רב, תודה וברכה",
    "fa": "با تشکر, با احترام",
    "th": "ขอแสดงความนับถือ, ด้วยความเคารพ",
    "ar": "وتفضلوا بقبول فائق الاحترام, مع التحية, مع أطيب التحيات, تحياتي, مع خالص التحية",
    "zh": "此致, 此致敬礼, 祝好, 顺颂商祺, 顺祝商祺, 祝商祺, 敬上, 謹上",
    "ja": "敬具, 以上、よろしくお願いいたします, よろしくお願いいたします,"
    " 宜しくお願い致します, よろしくお願いします, よろしくお願い致します, どうぞよろしくお願いいたします,"
    " どうぞよろしくお願い致します, どうぞ宜しくお願い致します",
    "ko": "드림",
    "id": "salam, salam hangat, hormat kami, hormat saya, salam hormat",
    "vi": "trân trọng, thân mến, trân trọng kính chào",
    "hi": "सादर, भवदीय, शुभकामनाओं सहित, धन्यवाद सहित",
    "ta": "அன்புடன், இப்படிக்கு, நன்றியுடன்",
}  # fmt: skip

_CASUAL = (
    "cheers, best, all the best, ciao, love, xoxo, thx, ta, br, kr, yours, take care, have a nice day,"
    " have a great day, cheers and thanks, thanks, many thanks, thank you, thanks a lot,"
    " thanks in advance,"
    " thank you in advance, thank you very much, danke, vielen dank, danke und gruß,"
    " besten dank, merci,"
    " merci d'avance, merci beaucoup, gracias, muchas gracias, gracias de antemano, grazie,"
    " grazie mille,"
    " obrigado, obrigada, bedankt, alvast bedankt, dank u, tack, tack på förhand, tak,"
    " på forhånd tak, takk,"
    " på forhånd takk, kiitos, dziękuję, z góry dziękuję, děkuji, ďakujem, köszönöm,"
    " mulțumesc, teşekkürler,"
    " спасибо, заранее спасибо, дякую, благодаря, ευχαριστώ, תודה, شكرا, 谢谢, 謝謝,"
    " 감사합니다, 고맙습니다, धन्यवाद, நன்றி, bonne journée, bonne soirée, à bientôt, buona giornata, a presto,"
    " grato, grata, quedo atento, quedo atenta, hezký den, přeji hezký den, iyi günler, cảm ơn, terima kasih,"
    " ขอบคุณ, ขอบคุณครับ, ขอบคุณค่ะ, gràcies, aitäh, paldies, ačiū, hvala, gr, parimat, متشکرم"
)

GREETINGS = frozenset(
    folded(one)
    for one in (
        "hi, hello, hey, dear, greetings, good morning, good afternoon, good evening, hallo, guten tag,"
        " guten morgen, guten abend, sehr geehrte, sehr geehrter, liebe, lieber, moin,"
        " servus, grüezi, bonjour,"
        " bonsoir, salut, cher, chère, hola, buenos días, buenas tardes, estimado, estimada,"
        " ciao, buongiorno,"
        " buonasera, salve, gentile, egregio, olá, bom dia, boa tarde, prezado, prezada,"
        " caro, cara, beste,"
        " geachte, goedemorgen, goedemiddag, goedendag, hej, hejsan, hei, god morgon,"
        " god morgen, goddag, moi,"
        " cześć, dzień dobry, witam, szanowni, szanowny, dobrý den, ahoj, szia, tisztelt,"
        " bună, bună ziua,"
        " γεια, αγαπητέ, καλημέρα, merhaba, sayın, selam, здравствуйте, привет, уважаемый, уважаемая,"
        " добрый день, вітаю, добрий день, שלום, مرحبا, السلام عليكم, 您好, 你好,"
        " こんにちは, 안녕하세요,"
        " halo, selamat pagi, xin chào, नमस्ते, प्रिय, வணக்கம், அன்புள்ள"
    ).split(", ")
)
"""How a letter begins."""

CONFIDENTIAL = re.compile(
    r"confiden|vertraulich|privileged|intended (?:solely|only|recipient|for)|disclaimer|destinataire"
    r"|riservat|destinatari|geadresseerde|bestemd|konfident|fortrolig|poufn|конфиденциальн|конфіденц"
    r"|legally|empfänger|unauthori[sz]ed|unbefugt|机密|保密|機密|기밀|environment before printing"
    r"|umwelt|gizli"
)
"""A word of the small print of companies."""

SPEAKS = re.compile(
    r"(?<![\w'])(?:please|pls|bitte|por favor|s'il (?:vous|te) pla[iî]t|svp|per favore|per piacere"
    r"|alstublieft|snälla|vær så snill|venligst|vänligen (?:ring|återkom)|ole hyvä|proszę|prosím|prosim|molim"
    r"|kérem|vă rog|lütfen|παρακαλώ|пожалуйста|будь ласка|моля"
    r"|i (?:am|was|have|had|will|would|can|could|do|did|need|want|forgot|also|prefer)|i'(?:m|ve|d|ll)"
    r"|ich|je|j'ai|yo|ik|jag|jeg|я)(?![\w'])"
)
"""Somebody speaks to the reader: no signature asks for anything, or says "I"."""

REFERENCE = re.compile(
    r"(?:order|purchase|customer|client|invoice|account|ticket|case|booking|tracking|serial|model|bestell|auftrag|kunden"
    r"|rechnung|vertrag|commande|client|facture|contrat|pedido|cliente|factura|contrato|ordine|fattura|encomenda|fatura"
    r"|bestelling|klant|factuur|beställning|kund|ordre|kunde|faktura|zamówieni|klient|objednávk|заказ|договор|клиент)"
    r"[\w-]{0,10}\W{0,3}(?:no|nr|nro|num|number|nummer|numéro|número|numero|id|č|№|n°|nº)?\W{0,4}(?=[\w/-]{0,12}\d{3})"
)
"""The number of an order or of a customer: the writer puts it there for the reader."""

POSTSCRIPT = re.compile(
    r"p\.? ?s\b|n\.? ?b\.? ?:|p\.? ?d\.? ?:"
    r"|(?:edit|update|nachtrag|posdata|post data|postscriptum|примечание) ?:"
)
"""How a line begins that was forgotten above."""

JOINED = re.compile(r"\s*(?:/|\||&)\s*|\s(?:and|und|et|y|e|en|i|och|og|ja|и|а|a|ve)\s")
"""Between two closings on one line."""

FROM_PLACE = frozenset("aus from de da uit från fra из z od".split())
"""Before the place that greetings come from."""

CLOSINGS = frozenset(bare(folded(one)) for words in _CLOSINGS.values() for one in words.split(", "))
"""What stands on a line alone before a name, and means nothing else."""

CASUAL = frozenset(bare(folded(one)) for one in _CASUAL.split(", "))
"""The same, but it may be all that a person has to say: only with a comma, and a name below."""

FIRST_WORDS = frozenset(one.split(" ")[0].strip(".、") for one in CLOSINGS | CASUAL)
"""How any of them begins: most lines are told by that to be none."""
