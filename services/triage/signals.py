"""The words and phrases that the rules know, by what they are a sign of. Data, in casefolded words.

`Signs` looks for all of them in one pass over the words of a text: its time grows with the text's length,
whatever a customer writes and however many phrases there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from shared.domain.languages import words

Found = dict[str, list[str]]
"""Sign to the phrases that gave it, each once, in the order of the text."""


class Signs:
    """Phrases ready to be looked for."""

    def __init__(self, phrases: Mapping[str, Iterable[str]]) -> None:
        self._by_first: dict[str, list[tuple[list[str], str, str]]] = defaultdict(list)
        for sign, group in phrases.items():
            for phrase in group:
                first, *rest = words(phrase)
                self._by_first[first].append((rest, sign, phrase))

    def find(self, said: list[str]) -> Found:
        """Which signs the words give, and by which phrases; a word inside a longer phrase gives none itself.

        So “not urgent” is no sign of “urgent”.
        """
        found: Found = {}
        taken_to = 0
        firsts = self._by_first
        for at in [at for at, word in enumerate(said) if word in firsts]:
            if at < taken_to:
                continue
            for rest, sign, phrase in firsts[said[at]]:
                if said[at + 1 : at + 1 + len(rest)] == rest:
                    taken_to = max(taken_to, at + 1 + len(rest))
                    phrases = found.setdefault(sign, [])
                    if phrase not in phrases:
                        phrases.append(phrase)
        return found


def _phrases(text: str) -> list[str]:
    return [phrase.strip() for line in text.splitlines() for phrase in line.split(",") if phrase.strip()]


CATEGORIES = {
    "billing": _phrases("""
        invoice, invoices, billing, billed, rechnung, rechnungen, factura, facture, fatura
        refund, refunds, refunded, rückerstattung, erstattung, reembolso, remboursement
        payment, payments, charged, charge, charges, zahlung, zahlungen, abgebucht, pago, paiement, pagamento
        subscription, abo, abonnement, suscripción, assinatura, credit card, kreditkarte
    """),
    "account": _phrases("""
        login, log in, logging in, sign in, signing in, anmelden, anmeldung, einloggen, iniciar sesión
        connexion
        password, passwort, kennwort, contraseña, mot de passe, senha, 2fa, two factor
        account, konto, cuenta, compte, conta, profile, locked out, gesperrt
    """),
    "technical": _phrases("""
        error, errors, fehler, fehlermeldung, exception, stack trace, erreur, erro, bug, bugs
        crash, crashes, crashed, crashing, abgestürzt, stürzt, freezes, freezing, hangs
        outage, ausfall, down, offline, not working, doesn't work, does not work, no funciona
        is down, funktioniert nicht
        slow, langsam, timeout, timeouts, server, api, install, installation, broken, kaputt
    """),
    "feature_request": _phrases("""
        feature request, would be nice, would be great, could you add, please add, wish, wishlist
        suggestion, vorschlag, wäre schön, sugerencia, sugestão
    """),
    "complaint": _phrases("""
        complaint, complain, complaining, beschwerde, beschweren, queja, réclamation, reclamação
        unacceptable, inakzeptabel, disappointed, enttäuscht, terrible service
    """),
}

LEVELS = {
    "severity high": _phrases("""
        outage, ausfall, data loss, datenverlust, lost my data, lost all my data, lost our data, hacked
        gehackt, security breach, security incident, leak, leaked, breach, stolen, gestohlen
        everyone, everybody, nobody can, niemand kann, all users, all our users, whole company, whole office
        production, can die, may die, might die, could die, injury, injured, emergency, notfall
        completely down, is down, totalausfall, emergencia
    """),
    "severity low": _phrases("""
        cosmetic, typo, tippfehler, minor, small thing, kleinigkeit, nice to have
        just a question, just wondering, just curious, nur eine frage, feature request
    """),
    "urgency high": _phrases("""
        urgent, urgently, dringend, urgente, as soon as possible, asap, so schnell wie möglich
        immediately, sofort, right now, at once, inmediatamente, immédiatement, imediatamente
        deadline, within the hour, today, heute noch, emergency, notfall
        outage, is down, ausfall, can die, may die, might die, could die
    """),
    "urgency low": _phrases("""
        no rush, no hurry, not urgent, nicht dringend, keine eile, when you have time, whenever you have time
        at your convenience, eilt nicht, sin prisa, pas urgent, sem pressa, some day
    """),
}

MOODS = {
    "angry": _phrases("""
        unacceptable, inakzeptabel, inaceptable, outrageous, unverschämt, unverschämtheit, furious, ridiculous
        wtf, lawyer, anwalt, sue you, scam, betrug, fed up, worst, never again
    """),
    "negative": _phrases("""
        disappointed, enttäuscht, frustrated, frustrating, annoyed, annoying, ärgerlich, unhappy
        still not, still waiting, still broken, immer noch nicht, again and again, schon wieder, third time
    """),
    "positive": _phrases("""
        thanks a lot, thank you so much, thanks so much, vielen dank, great work, great job, great support
        love it, perfect, perfekt, excellent, awesome, wonderful, muchas gracias, merci beaucoup
    """),
}

SIGNS = Signs({**CATEGORIES, **LEVELS, **MOODS})
