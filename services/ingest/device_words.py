"""The lines that telephones and mail programs put below a mail, language by language. Pure: data alone,
looked up `folded`.
"""

import re

from services.ingest.quote_words import folded

DEVICES = tuple(
    folded(start)
    for start in (
        "sent from ", "sent wirelessly from ",
        "sent from my ", "sent from mail for windows", "sent from outlook", "sent from yahoo mail",
        "sent from gmail", "sent from proton mail", "sent from protonmail", "sent with proton mail",
        "sent with protonmail", "sent using ", "sent via ", "get outlook for ", "sent from the ",
        "sent from samsung", "sent from a ", "sent from mailbird",
        "sent from spark", "sent with ",
        "sent from tutanota", "sent from a mobile", "sent by my ",
        "gesendet von ", "gesendet mit ", "gesendet aus ", "versendet mit ",
        "diese nachricht wurde von meinem ",
        "outlook für ", "holen sie sich outlook für ",
        "envoyé de l'", "envoyé d'un ", "envoyé sans fil ",
        "envoyé de mon ", "envoyé depuis ", "envoyé à partir de ", "envoyé avec ", "envoyé via ",
        "télécharger outlook pour ",
        "obtenir outlook pour ", "provenance : courrier pour windows", "obtenez outlook pour ",
        "enviado desde ", "enviado con ", "obtener outlook para ",
        "enviado do meu ", "enviado a partir d", "enviado pelo ",
        "enviado de meu ", "enviado via ", "enviado do ", "obter o outlook para ",
        "obtenha o outlook para ",
        "inviato dall'",
        "inviato da ", "inviato dal ", "inviato con ", "scarica outlook per ", "ottieni outlook per ",
        "verzonden vanaf ", "verzonden vanuit ", "verzonden via ", "verstuurd vanaf ",
        "verzonden met ", "verstuurd met ", "outlook voor ",
        "skickat från ", "skickades från ", "hämta outlook för ", "sendt fra ", "sendt med ",
        "hent outlook til ",
        "hent outlook for ", "lähetetty ", "hanki outlook ", "wysłane z ", "wysłane ze ", "wysłano ze ",
        "wysłano z ", "pobierz outlook",
        "odesláno z ", "odesláno ze ", "odoslané zo ", "poslano z ",
        "odoslané z ", "az én ", "elküldve ", "küldve ", "trimis de pe ", "trimis din ",
        "στάλθηκε από ", "poslano s ", "poslano sa ", "poslano iz ", "послато са ", "изпратено от ",
        "enviat des de", "saadetud ", "išsiųsta iš ", "nosūtīts no ",
        "gönderildi ", "отправлено с ", "отправлено из ", "надіслано з ", "отримайте outlook",
        "נשלח מ", "أرسلت من ", "أُرسلت من ", "مرسل من ", "تم الإرسال من ", "ارسال شده از ",
        "发自我的", "從我的", "从我的", "傳送自",
        "发自", "來自", "来自", "發送自", "发送自", "發自", "ส่งจาก ",
        "iphoneから送信", "ipadから送信", "나의 iphone에서 보냄", "내 iphone에서 보냄",
        "dikirim dari ", "đã gửi từ ", "gửi từ ",
        "मेरे iphone से भेजा गया", "எனது ",
    )
)  # fmt: skip
"""How the line begins that a device or program puts under a mail."""

DEVICE_ENDS = tuple(
    folded(end)
    for end in (
        "から送信", "からの送信", "에서 보냄", "에서 보냈습니다", "에서 발송", "에서 발신", "से भेजा गया",
        "से भेजा",
        "இலிருந்து அனுப்பப்பட்டது", "dan gönderildi", "den gönderildi", "tan gönderildi", "ten gönderildi",
        "windows için posta ile gönderildi", " iphonesta", " küldve", " فرستاده شد",
    )
)  # fmt: skip
"""How it ends, where the device comes first."""

DEVICE_FRAMES = (
    ("von ", " gesendet"), ("vom ", " gesendet"), ("mit freundlichen grüßen ", " gesendet"),
    ("从", "发送"), ("從", "傳送"), ("從", "發送"), ("我從", "傳送"), ("由", "傳送"),
)  # fmt: skip
"""How it begins and ends, where either may be in any sentence."""

BY_MAIL = re.compile(r"\be-?mail\w*|\be-post\b|\b(?:via|per|by|par|por|met|mit|con) mail$|邮件发送$")
"""A way of sending, and no device."""

GADGETS = re.compile(
    r"iphon|ipad|ipod|android|samsung|galaxy|huawei|xiaomi|redmi|oppo|vivo\b|xperia|honor\b|pixel|nokia|oneplus"
    r"|motorola|sony|htc|lg\b|blackberry|windows|outlook|mobil|handy|handheld|phone|telefon|telefoon|téléphone"
    r"|teléfono|móvil|celular|cellular|smartphone|smarttelefon|puhel|älypuhel|tablet|device|gerät|appareil"
    r"|dispositivo|enhet|enhed|zařízen|zariaden|eszköz|cihaz|mail|poczt|posta\b|pošt|yahoo|superhuman|seznam|gmail|proton|tutanota"
    r"|tuta\b|hotmail|gmx|web\.de|app\b|mac\b|macbook|cell|wireless|mobiel|ponsel|смартфон|телефон|айфон|устройств"
    r"|пристро|почт|пошт|spark|airmail|thunderbird|手机|手機|电话|電話|邮件|郵件|邮箱|郵箱|網|휴대|스마트폰|갤럭시|메일|端末|携帯"
    r"|スマートフォン|メール|மொபைல்|मोबाइल|آیفون|هاتف|جوال|גלקסי|โทรศัพท์|điện thoại"
)
"""What such a line names."""

APPS = re.compile(
    r"(?<![a-z])(?:outlook|bluemail|mymail|aqua mail|aquamail|yahoo mail|spark|airmail|proton ?mail)"
)
PLATFORMS = re.compile(r"(?<![a-z])i-?os|android|\bmac\b|windows|mobile")
GETS = tuple(
    folded(one)
    for one in (
        "get, download, beziehen, herunterladen, holen sie sich, télécharger, téléchargez,"
        " obtenir, obtenez,"
        " obtener, obtén, obtenga, descargar, descarga, descargue, obter, obtenha, baixar,"
        " baixe, transferir,"
        " scarica, scaricare, ottieni, downloaden, haal, hämta, skaffa, hent, få, skaff,"
        " last ned, hanki, lataa,"
        " pobierz, uzyskaj, скачать, скачайте, получить, получите, загрузить, отримати,"
        " отримайте, завантажити,"
        " завантажте, získat, získejte, stáhnout, získať, získajte, stiahnuť, beszerzése,"
        " letöltése, szerezd be,"
        " obțineți, descărcați, αποκτήστε, λήψη, κατεβάστε, edinin, indirin, alın, を入手, を取得,"
        " をダウンロード,"
        " 获取, 取得, 下载, 下載, 다운로드,"
        " 다운로드하세요, 받기, 받으세요, 가져오기, קבל, הורד, הורידו, الحصول على,"
        " احصل على, تنزيل,"
        " دریافت, प्राप्त करें, डाउनलोड करें, ดาวน์โหลด, รับ, tải, lấy, nhận, dapatkan, unduh,"
        " preuzmite, nabavite,"
        " преузмите, pridobite, prenesi, prenesite, вземете, изтеглете, obteniu, baixa,"
        " hankige, gauti, gaukite,"
        " iegūstiet, lejupielādējiet"
    ).split(", ")
)
"""What a mail program's line about itself begins or ends with: "Get Outlook for Android"."""

WHOLE = frozenset(folded(one) for one in ("von unterwegs gesendet", "mobil gesendet", "sent on the go"))
"""Such lines that name no device."""

APOLOGY = re.compile(
    r"\b(?:excus|pardon|forgiv|sorry|apolog|typos?\b|brevity|entschuldig|verzeih|tippfehler|désolé|disculp|perdon"
    r"|scus|desculp|excuus|ursäkta|undskyld|unnskyld|przepraszam|omluv|извин|прост)"
)
"""A part of such a line that asks to excuse what telephones do to texts."""

NO_GADGETS = re.compile(
    r"\b(?:address|account|adresse|konto|compte|cuenta|indirizzo|conta|аккаунт"
    r"|not|never|nicht|niet|your|ihre[nmrs]?|votre|vostro|uw)\b"
)
"""What mails are sent from, too, and what tells that somebody wants to say something."""

SMALL_WORDS = frozenset("for on the my a an of new all via with from app mobile device phone tablet".split())
"""Words in small letters within the names of devices and programs."""
