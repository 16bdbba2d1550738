"""What leaves no doubt why a mail was not delivered, whatever status or other words come with it. A table.

Its phrases are looked for before `bounces_reasons.py`: most of them hold a word that means something else
alone. An address is never called dead for what is said of the sender, of the content, or of what its owner
chose to refuse.
"""

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


FIRST: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "mailboxfull",
        _any(
            (
                r"too (many|much) (mails?|messages|e-?mails?)( already)? (on the server|stored|"
                r"in (the|his|her|their) (mailbox|inbox))"
            ),
            r"too much mail data|zu ?viele (e-?)?mails auf dem server",
            r"(does|do)(es)? ?(not|n't) have enough (disk |storage )?space|space has been used up",
            r"exhausted (the |its |their )?(allowed )?(storage|disk|quota)|out of storage space",
            r"bo[iî]te du destinataire (est )?pleine|allowed (message count|number of messages)",
            r"(not able|unable) to (receive|store|take) (any )?more (e-?mail|mail|messages)",
        ),
    ),
    (
        "systemfull",
        _any(r"insufficient system storage|mail system (is )?full|system storage (is )?(full|exceeded)"),
    ),
    (
        "badreputation",
        _any(
            r"(low|poor|bad|ip|domain) (e-?mail )?reputation|reputation (problem|score|of the sending)",
            r"due to (unexpected volume|user complaints)",
        ),
    ),
    (
        "notcompliantrfc",
        _any(
            r"duplicate header|multiple [a-z-]{2,20}:? headers|messages with multiple\b",
            r"not rfc ?\d{3,4}[ -]compliant",
        ),
    ),
    ("securityerror", _any(r"unauthenticated senders? not|security polic(y|ies) require")),
    (
        "filtered",
        _any(
            r"(recipient|user|owner)'?s? preferences|you have been blocked by",
            r"(blocked|refused) by (the|its) owner",
            r"(user|recipient)(?: id)? (has )?(rejects?|refused?s?)\b(?! (for|by|because|due))",
            r"(only|not) accept(s|ing)? (e-?mail|mails?|messages) (only )?from ((un)?known|specific|certain)",
            r"rejected due to user rules|(account|mailbox|user|address) is protected by",
            r"(sender|you|address)[^\n]{0,30} not (been )?(pre-?)?approved",
            r"user[ -](configured|defined) (filter|rule)",
            r"delivery to this (user|recipient|address|mailbox) is not (allowed|permitted)",
        ),
    ),
    (
        "policyviolation",
        _any(
            r"potential(ly)? (a )?security (issue|risk)|accept(s|ing)? (e-?mails?|mails?|messages) with ",
            r"(closed|private|moderated) mailing list|rejected due to security polic",
        ),
    ),
    (
        "spamdetected",
        _any(
            r"(as|is|be|to|for|considered|probable|suspected) spam\b",
            r"spam (classification|detected|content)",
            r"likely (to be )?unsolicited|appears to be unsolicited|\bube\b|anti-?spam|antyspam",
            r"(message|mail|e-?mail|content) scor(e|ed|ing)\b|mass mail(er|ing)|\buribl\b|\bsurbl\b",
            r"(as|is) bulk (e-?)?mail|pattern detection|unacceptable content|banned content",
        ),
    ),
    (
        "norelaying",
        _any(
            r"(allowed|my) rcpthosts|as a relay\b|not (an open relay|configured to relay)",
            r"relay(ing)?\b[^\n]{0,30} prohibited|authentication when [^\n]{0,20}send(ing)? to a non-local",
            r"relay access denied|relayed mail\b[^\n]{0,30} not (allowed|permitted)|not a (mail )?gateway",
        ),
    ),
    (
        "suspend",
        _any(
            r"due to (its |their )?(prolonged )?inactivity|not (been )?(yet )?activated",
            r"deactivated (mail|account|user)",
            r"(account|mailbox|user|compte)[^\n.]{0,20} (is|has been|was|est) (blocked|bloqu[eé]|expired)",
            r"(account|mailbox|user) expired|not currently being accepted for|is now disabled",
            r"(domain|account|mailbox)[^\n]{0,40} is (currently |temporar\w{2,4} )?suspended",
            r"no longer (accepting|taking) (e-?mail|mail|messages)(?! (with|from))",
            r"disabled or discontinued|is inactive (on|at|in)\b|(mail )?(receiving|reception) (is )?disabled",
        ),
    ),
    (
        "rejected",
        _any(
            r"sender( address| domain)?( was| is)? (rejected|refused|denied|empty|invalid)",
            r"sender verif(y|ication) fail|unrout(e)?able sender|(from|to|by) unknown senders?",
            r"senderfilterconfig|(null|empty) (reverse-path|envelope senders?|senders?)|invalid sender",
            r"domain of (the )?sender|from: domain|[eé]metteur invalide|purported responsible",
            r"backscatter|your e-?mail address has been black",
            r"address[^\n]{0,40} (is|has) not (yet )?(been )?verified",
        ),
    ),
    (
        "userunknown",
        _any(r"recipient address rejected: access denied"),
    ),
    (
        "hasmoved",
        _any(
            r"changed (my|his|her|their|its|the) (e-?mail|mail)?[ -]?address",
            r"use (my|his|her|their|our|the) new (e-?mail|mail)?[ -]?address",
        ),
    ),
    (
        "hostunknown",
        _any(r"account or domain may not exist|recipient domain must exist|no dns entr(y|ies)\b"),
    ),
)
"""Reason and what is said for it."""
