"""Why mails are not delivered, in the words of servers that answer in other languages than English. A table.

Looked for when English says nothing; see `bounces_reason.py`.
"""

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


ELSEWHERE: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "mailboxfull",
        _any(
            r"(postfach|mailbox|speicher\w{0,12})[^\n]{0,40}(voll|ersch[öo]pft|überschritten|überfüllt)",
            r"(bo[iî]te|messagerie|quota)[^\n]{0,40}(pleine?|satur[ée]e?|dépassé)",
            r"(buz[oó]n|casilla|cuota|mailbox)[^\n]{0,40}(llen[oa]|excedid[oa]|superad[oa])",
            r"(caixa|quota|cota)[^\n]{0,40}(cheia|lotada|excedida)",
            r"(casella|quota|mailbox)[^\n]{0,40}(pien[ao]|superata|esaurit[ao])",
            r"(postvak|mailbox|postbus|quotum)[^\n]{0,30}( vol\b|overschreden)",
            r"(skrzynk\w|limit)[^\n]{0,40}(pełna|przepełnion\w|przekroczon\w)|schránka[^\n]{0,20}pln",
            r"(brevl[åa]da|postl[åa]da|postkass\w{0,2}|postlaatikko)[^\n]{0,30}(full|fuld|täynnä)",
            r"ящик[^\n]{0,40}(переполнен|полон|заполнен)|квота[^\n]{0,20}превышен",
            r"скринька[^\n]{0,20}переповнен",
            r"(kutu\w{0,6}|kota\w{0,4})[^\n]{0,20}(dolu|aşıldı)|postaláda[^\n]{0,20}(megtelt|tele)",
            r"(邮箱|信箱|郵箱|空间)[^\n]{0,10}(已满|已滿|满|不足)|容量(オーバー|超過)|いっぱい|(편지함|용량)[^\n]{0,12}(가득|초과)",
        ),
    ),
    (
        "suspend",
        _any(
            r"(konto|postfach|mailbox|benutzer|adresse)[^\n]{0,40}(gesperrt|deaktiviert|inaktiv|stillgelegt)",
            r"(compte|bo[iî]te|adresse)[^\n]{0,40}(suspendue?|désactivée?|desactivee?|bloquée?|ferm[ée]e?)",
            r"(cuenta|usuario|buz[oó]n|casilla)[^\n]{0,40}(suspendid[oa]|desactivad[oa]|inactiv[oa]|expirado)",
            r"(conta|usu[aá]rio|caixa)[^\n]{0,40}(suspens[oa]|desativad[oa]|inativ[oa]|bloquead[oa])",
            r"(account|utente|casella|indirizzo)[^\n]{0,30}(sospes[oa]|disattivat[oa]|disabilitat[oa]|bloccat[oa])",
            r"(konto|skrzynka)[^\n]{0,30}(zablokowan\w|nieaktywn\w|zawieszon\w)|(заблокирован|отключ[её]н)",
            r"(账号|帐号|邮箱|用户)[^\n]{0,10}(停用|冻结|禁用|锁定)",
        ),
    ),
    (
        "hostunknown",
        _any(
            r"dom(ä|ae)ne?[^\n]{0,20}(nicht gefunden|existiert nicht|unbekannt)",
            r"domaine (inconnu|inexistant)",
            r"domini?o (desconocido|inexistente|no existe|não existe|sconosciuto)",
            r"домен[^\n]{0,20}не (найден|существует)",
        ),
    ),
    (
        "userunknown",
        # "Unknown" alone may be said of the error.
        _any(
            r"unbekannter? (benutzer|empf(ä|ae)nger|adressat|nutzer|postfach)|(existiert|gibt es) nicht",
            r"(benutzer|empf(ä|ae)nger|adressat|nutzer|postfach|adresse)[^\n]{0,40}(unbekannt|ungültig)",
            r"(utilisateur|destinataire|adresse|compte|bo[iî]te)[^\n]{0,40}(inconnu|inexistant|introuvable)",
            r"(destinataire|adresse|compte)[^\n]{0,30}invalide|(utilisateur|destinataire|adresse) n'existe",
            r"(usuario|destinatario|cuenta|buz.n|direcci.n)[^\n]{0,30}(inv[aá]lid|no encontrad|desconoc)",
            r"\b(no|n[ãa]o) existe\b|inexistente|usuario o destinatario desconocido",
            r"(usu[aá]rio|destinat[aá]rio|caixa|conta|endereço)[^\n]{0,30}(inv[aá]lid|n.o encontrad)[oa]",
            r"(usu[aá]rio|destinat[aá]rio|endereço) desconhecido",
            r"(destinatario|utente|indirizzo|casella|destin\.)[^\n]{0,30}(errat|sconosciut|non valid)[oa]",
            r"(destinatario|utente|indirizzo|casella) non (esiste|trovat)|inesistente",
            r"(gebruiker|ontvanger|geadresseerde|adres|postbus)[^\n]{0,30}(onbekend|bestaat niet)",
            r"onbekende (gebruiker|ontvanger|geadresseerde)",
            r"(användare|mottagare|adress)\w{0,4}[^\n]{0,20}(okänd|finns (inte|ej))",
            r"okänd (användare|mottagare)",
            r"(bruke?r|bruger|mottaker|modtager|adresse)\w{0,3}[^\n]{0,20}(ukjent|ukendt|fin[nd]es ikke)",
            r"(ukjent|ukendt) (bruker|bruger|mottaker|modtager)|tuntematon (käyttäjä|vastaanottaja|osoite)",
            r"(käyttäjää?|osoitetta) ei (ole|löydy)|nie istnieje|nie ma takiego",
            r"nieznany (użytkownik|odbiorca|adres)|neexistuje|neznámý (uživatel|příjemce|adresát)",
            r"ismeretlen (felhasználó|címzett)|(felhasználó|címzett|postafiók)[^\n]{0,20}nem létezik",
            r"(utilizator|destinatar)\w{0,3}[^\n]{0,20}(necunoscut|nu există|inexistent)",
            r"(kullanıcı|alıcı|adres)\w{0,3}[^\n]{0,20}(bulunamadı|mevcut değil)",
            r"bilinmeyen (kullanıcı|alıcı)",
            r"άγνωστος (χρήστης|παραλήπτης)|(χρήστης|παραλήπτης)[^\n]{0,20}δεν υπάρχει",
            r"(pengguna|penerima|alamat)[^\n]{0,20}tidak (ditemukan|dikenal)",
            r"(người|địa chỉ)[^\n]{0,25}không tồn tại",
            r"(пользовател|получател|адресат|адрес|ящик)\w{0,3}[^\n]{0,40}не (найден|существует)",
            r"неизвестный (пользователь|получатель|адресат)|нет такого (пользователя|адреса|ящика)",
            r"такого (пользователя|адреса|ящика) (нет|не существует)",
            r"(користувач|одержувач|адрес)\w{0,3}[^\n]{0,30}не (знайдено|існує)",
            r"(用户|用戶|收件人|邮箱|帐号|账号|地址)[^\n]{0,8}(不存在|未找到|无效|無效)",
            r"(ユーザー?|宛先|アドレス|メールボックス)[^\n]{0,8}(存在しません|見つかりません|不明)",
            r"존재하지 않는 (사용자|수신자|계정)|(사용자|수신자)[^\n]{0,10}(존재하지 않|없|찾을 수 없)",
        ),
    ),
    (
        "mesgtoobig",
        _any(
            r"(nachricht|mail|anhang)[^\n]{0,30} zu gro(ß|ss)",
            r"taille (limite|maximale)[^\n]{0,30}(atteinte|dépassée)",
            r"(mensaje|mensagem|messaggio|bericht)[^\n]{0,30}(demasiado|muito|troppo|te) (grande?|groot)",
            r"слишком больш|(邮件|附件)[^\n]{0,8}(过大|太大)|サイズ[^\n]{0,10}(超え|大き)",
        ),
    ),
    (
        "spamdetected",
        _any(r"indésirable|correo no deseado|垃圾邮件|迷惑メール|스팸|(спам|spam)\w{0,3}\b"),
    ),
    (
        "rejected",
        _any(
            r"abgelehnt|refusée?\b|rechazad[oa]|rejeitad[oa]|rifiutat[oa]|geweigerd|odrzucon\w|отклонен|拒收|拒否|拒绝|거부"
        ),
    ),
)
"""Reason and what is said for it, the most telling first."""
