"""What mail systems write when a mail was not delivered, as tables of phrases; no sender has code of its own.

Collected from the notices of Exim, Postfix, sendmail, qmail, Courier, Exchange, Outlook, Domino, GroupWise,
IMail, MDaemon, OpenSMTPD, DragonFly and the large providers. Each table is one regular expression, searched
without regard to case in text of bounded length. No phrase may begin with an unbounded repetition: that is
what keeps the search linear.
"""

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


SUBJECT = _any(
    r"undeliver(ed|able)|unzustellbar|return(ed|ing) (mail|message|to sender)",
    r"non[- ]?deliver(y|ed|able)|not delivered|mail (delivery |system )?(fail|problem|error)",
    r"(delivery|message|mail) (status )?(notification|report)[ :(]{0,3}"
    r"(fail|delay|error|warning|relay|success)",
    r"zustellung (ist )?fehlgeschlagen",
    r"delivery (status )?notification|delivery (has )?(fail|problem|error|warning|report|status)",
    r"^failure notice|failed mail to|(could|can) ?not be delivered|delay(ed)? (\d+ hours|\()",
    r"message delayed|delivery delayed|still being retried|has not yet been delivered",
    r"delivery is delayed|permanent delivery failure|processing error|bounce notification",
    r"user unknown|delivery incomplete|you .{0,80}are not (a )?member|automatically rejected mail",
    r"could not send message|non remis|mail non distribu|no se puede entregar|no entregado",
    r"entrega fallida|devuelto|mensagem devolvida|falha na entrega|mancata consegna|non recapitabile",
    r"onbestelbaar|kan ikke leveres|niet bezorgd|oplevereerbaar|niedostarcz|nicht zustellbar|oleverer",
    r"(ikke|inte) (levereres|levereras|levert|leveret)|(teslim|iletim) edilemedi|iletilemedi|nelivrat",
    r"imposibil de livrat|nedostav|nepristatyt|tidak (dapat|bisa) (dikirim|terkirim)",
    r"gagal (dikirim|terkirim)",
)
"""A subject by which a notice of non-delivery, or of delay, is known."""

SUBJECT_OTHERS = _any(
    r"échec de (la )?(remise|distribution)|message non (remis|distribué)",
    r"não (foi )?(entregue|pode ser entregue)|не доставлено|недоставлен|не может быть доставлено",
    r"メールエラー|配信(エラー|不能|できません)|送信できません|投递失败|退信|邮件传递失败|退回",
    r"邮件发送失败|未传递|(无法|未能)传递|無法傳遞|寄送失敗|배달 실패|반송|배달되지 않|발송 ?실패",
    r"전송 ?실패|nie można dostarczyć|zustellung (ist )?(fehlgeschlagen|nicht möglich)",
    r"(não|nao) é possível entregar|går inte att leverera|toimit\w{2,8} epäonnistui|nedoručit",
    r"kézbesíthetetlen|nem kézbesíthető|δυνατή η παράδοση|(αδυναμία|αποτυχία) παράδοσης",
    r"не уда[её]тся доставить|не вдалося доставити|недоставен|neisporuč|nepiegād|lähetys epäonnistui",
    r"לא ניתן למסור|לא נמסר|تعذر تسليم|غير قابل للتسليم|không (thể )?gửi được|ไม่สามารถส่ง",
    r"वितरित नहीं",
)
"""The same, where it is not ASCII: most are, and are told by half the table."""

SUBJECT_OF_SYSTEMS = _any(
    r"undelivered mail returned to sender",
    r"mail delivery failed: returning message to sender",
    r"delivery status notification ?\((failure|delay|mail delivery delayed)\)",
    r"returned mail: see transcript for details",
    r"mail system error - returned mail",
    r"delivery notification: delivery has failed",
)
"""Whole subjects that mail systems alone write, whoever the sender says to be."""

INTRODUCES = _any(
    r"(could|can) ?(not|n't) be (delivered|sent|reached|processed)",
    r"(not|n't) (yet )?(been |be )?delivered",
    r"was ?(not|n't) (able to )?(be )?deliver",
    r"not able to deliver|unable to deliver|undeliverable( address| to)?|undelivered",
    r"could(n't| not) deliver|cannot deliver|failed to deliver|unable to be delivered",
    r"error delivering|error (has )?occurred while (attempting|trying) to deliver",
    r"del[ei]very (to the following|of email to this|has failed|failed|attempts? )",
    r"following (recipient|address|user|mail|message)",
    r"did not (reach|receive)|didn't reach|has not been delivered|has been delayed|is delayed for",
    r"permanent (fatal )?(delivery )?errors?|had (permanent|transient|delivery|non-fatal|problems)",
    r"had delivery (errors|problems)|encountered delivery problems|delivery problems",
    r"failed (recipients?|addresses)|failure reasons|non-delivery report|has been returned because",
    r"invalid final delivery userid|unknown user:|mailbox exceeds allowed size|is over disk quota",
    r"no such user|user unknown|unknown recipient|user not known|message not delivered",
    r"mailbox is full|does ?(not|n't) exist|was rejected|transcript of session",
    r"incorrectly constructed",
    r"has been postponed|error-for:|list of recipients|affected recipient",
    r"did not exactly match|no valid recipients|encountered an error|destined for",
    r"not been collected",
    r"konnte nicht (zugestellt|ausgeliefert|übermittelt)|nicht zu(zu)?(gestellt|stellen)|unzustellbar",
    r"(mail|nachricht) [^\n]{0,30}nicht an(gekommen)?\b",
    r"n'(a|ont|avons) [^\n]{0,20}pas pu|non remis|n'a pas atteint|ne peut être remis|non distribu",
    r"no (pudo|se pudo|ha podido|hemos podido|pudimos|se ha podido) (ser )?entrega|no se puede entregar",
    r"não (pode|pôde|foi|pude|conseguimos) (ser )?(possível )?entreg|nao pode ser enviada",
    r"non è stato (possibile )?(recapita|consegna)|impossibile (recapitare|consegnare)",
    r"не может быть доставлен|невозможно доставить|не (было )?доставлен|не удалось доставить",
    r"(kon|konden) [^\n]{0,40}niet (worden )?bezor|niet aangekomen",
    r"nie mog\w{1,3} (zostać|być) do(ręcz|starcz)",
    r"kunde inte leverera|kunne ikke levere|nemoh\w{1,3} být doručen|nem tud(tuk|juk) kézbesíteni",
    r"ulaşt.r.lamad|nicht erreicht werden|没有送达|未能送达|无法[^\n]{1,12}(投递|送达|发送)",
    r"送信できません|配信できません|送信に失敗|届きませんでした|エラーのため|リストにありません",
    r"无法(投递|发送|送达)|投递失败|退信|寄件失敗|无法到达",
    r"permission to post|存在しないか|not a member of this (mailing )?list",
    r"fehler bei der nachrichtenzustellung|nicht an [^\n]{3,120} zugestellt|falha na entrega",
    r"error de entrega",
    r"échec de la remise|recapito non riuscito|bezorging [^\n]{0,60} is mislukt|kan niet worden bezorgd",
    r"nie można dostarczyć|nie udało się dostarczyć|nie została dostarczona|(kunde|kan) inte levereras",
    r"gick inte att leverera|(kunne|kan) ikke leveres|ei (voitu|voi) toimittaa|teslim edilemedi",
    r"iletilemedi",
    r"(nepodařilo|nepodarilo) (se )?doruči|nelze doručit|nem sikerült kézbesíteni|nem (volt )?kézbesíthető",
    r"δεν (ήταν|είναι) δυνατή η παράδοση|не вдалося доставити|не може да бъде доставен",
    r"nu a putut fi livrat",
    r"nije (bilo moguće )?(isporučen|dostavljen)|ni bilo mogoče dostaviti|nepavyko pristatyti",
    r"neizdevās piegādāt",
    r"ei saanud kohale toimetada|לא ניתן (היה )?למסור|تعذر تسليم|لم يتم تسليم|(无法|未能)[^\n]{0,20}传递",
    r"(無法|未能)[^\n]{0,20}傳遞|傳遞[^\n]{0,30}失敗|被退回|邮件无法送达|배달할 수 없",
    r"(전송|전달|발송)하지 못|배달하지 못",
    r"tidak dapat (dikirim|terkirim|disampaikan)|không thể (gửi|chuyển)|ไม่สามารถส่ง",
    r"वितरित नहीं किया जा सका",
)
"""A sentence of a notice that tells of the failure, or that the recipients come next."""

SERVER_SAID = re.compile(
    r"(?<![\w.])[45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3}(?![\w.]*\d)"
    r"|remote server returned '|^generating server:",
    re.IGNORECASE | re.MULTILINE,
)
"""The answer of a mail server, as a notice in any language gives it."""

DELAYED = _any(
    r"will retry for|temporary problem delivering|delivery incomplete|notification \(delay\)",
    r"email delivery delay",
    r"(has|have|had) not yet been delivered|not yet been delivered|delay(ed)? reason",
    r"has been delayed|is delayed for|message delayed|delayed delivery",
    r"delivery (is |status notification )?\(?delay",
    r"this is (only |just )?a warning|warning message only|advisory-only|only a temporary failure",
    r"(message|mail|delivery) will be (re)?tried (again )?for|will continue to (try|attempt)",
    r"has been postponed",
    r"(attempts|delivery) will (continue|be made)|continue to be made|still being retried",
    r"do not need to re-?send",
    r"transient non-fatal errors|will keep trying until|still undelivered after",
)
"""A notice that the mail system goes on trying."""

NOT_YET = re.compile(
    r"(?:if|when|until|should) (?:the |your )?(?:delivery|message|it) (?:fails?|failed) permanently"
    r"|will give up|if (?:the )?delivery (?:attempts )?(?:finally )?fails?",
    re.IGNORECASE,
)
"""What a notice of a delay says of what may come."""

_LINES_ABOVE = (
    # A line drawn with dashes or the like, and a word for what follows.
    (
        r"[-|*=# ]{2,60}[^\n]{0,60}(?:original|returned|unsent|undelivered|copy of|message header|"
        r"mail header|mail follows|message follows|below this line|message text|source mail|header of the|"
        r"bounced e-?mail|mensaje original|mensagem original|message removed|header information)[^\n]{0,120}"
    ),
    (
        r"(?:the )?(?:original message|message headers?|unsent message)(?: headers?)?(?: follows?|"
        r":)[^\n]{0,80}"
    ),
    r"(?:below is|included is|here is|attached is|attachment is) (?:a|the) (?:copy|first)[^\n]{0,120}",
    r"a copy of the (?:original )?message[^\n]{0,80}",
    r"your message reads[^\n]{0,40}",
    r"the first \d+ lines of your[^\n]{0,80}",
    r"old message:|original message:",
    # The head of the mail itself.
    r"(?:received|return-path|delivered-to|dkim-signature|x-received|arc-seal): ?[^\n]{1,200}",
)
RETURNED = re.compile(rf"^[ \t>]{{0,8}}(?:{'|'.join(_LINES_ABOVE)})[ \t]*$", re.IGNORECASE | re.MULTILINE)
"""The line at which the notice ends and the mail that it is about begins."""
