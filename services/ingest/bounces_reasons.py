"""Why mails are not delivered, in the words of the servers that would not have them. A table; see
`bounces_reason.py` for how it is read.
"""

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


REASONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "virusdetected",
        _any(r"\bvirus", r"infected|malware|suspicious (file|attachment)|unsafe attachment"),
    ),
    ("mailererror", _any(r"\bpipe to \|")),
    (
        "syntaxerror",
        _any(r"(malformed|badly formatted) (address|local)|incorrectly constructed|line terminator"),
    ),
    ("systemerror", _any(r"does not support tls", r"(local|server) configuration error|control/locals")),
    (
        "rejected",
        _any(
            r"to/from an address that has been blacklisted",
            r"you are not (a )?member|not a member of this (mailing )?list|permission to post",
            r"投稿する権限",
            r"google (groups|group|групп)|google-gruppen|grupos de google|groupes google",
        ),
    ),
    (
        "authfailure",
        _any(
            r"\bdmarc\b",
            r"\bspf\b|\bdkim\b|sender policy framework",
            r"unauthenticated (e?mail|mail)|multiple authentication checks failed",
            r"fails? authentication|domain ?keys|is not (allowed|permitted) to send (e?mail )?from",
            r"authentication (requirements|checks?) ",
        ),
    ),
    (
        "requireptr",
        _any(
            r"reverse dns|\bptr\b|rdns|\bfcrdns\b|no reverse|reverse (lookup|hostname|mapping)",
            r"unverif(y|i)able sending ip|cannot (find your|resolve your) (reverse|host)",
            r"client host rejected: cannot",
            r"cannot (get|resolve) the name of your|server access [^\n]{1,60} forbidden by",
            r"\bip name lookup failed|mismatches client ip|unresolvable relay host",
            r"without a valid sender domain",
        ),
    ),
    (
        "spamdetected",
        _any(
            r"\bspam(my)?\b(?!\S*(haus|cop))",
            r"spam (message|content|detected|score)|looks like spam|classified as (bulk|spam)",
            r"blacklisted url|mail rejet|junk mail|unsolicited|rejected_as_spam|blocked by spam",
            r"considered (as )?uce|(bulk (e-?)?mail|content) (control|filter)|message looks suspicious",
            r"message (was )?(rejected|filtered) (by|due to) (content|the) filter",
        ),
    ),
    (
        "toomanyconn",
        _any(
            r"too many (connections|sessions|concurrent)|connection (rate|limit)",
            r"connection frequency",
            r"rate limit|too many errors from your ip|exceeded the connection",
            r"connections? (are )?refused from your|frequency limit",
        ),
    ),
    (
        "speeding",
        _any(
            r"too (many|much) (mail|messages|emails|recipients)|sending (rate|quota|too fast)",
            r"receiving mail at a rate|(hourly|daily) (limit|quota|message)|throttl|unusual rate of",
            r"try again (more )?slow(er|ly)|slow down",
        ),
    ),
    (
        "badreputation",
        _any(
            r"reputation|unexpected volume|user complaints|poor sender",
            r"temporarily (rate limited|deferred due)",
            r"listed on our|the mail server \[[^\]]{1,60}\] has been temporarily",
        ),
    ),
    (
        "blocked",
        _any(
            r"block(ed)? (using|by|list|for)|\bblocked\b|black ?list|blocklist|\brbl\b|spamhaus",
            r"spamcop|\bdnsbl\b",
            r"banned sending ip|client host (rejected|\[[^\]]{1,60}\] blocked)|open (relay|proxy)",
            r"dynamic[ -]ip|dial-?up|messages from [^\n]{0,80}weren't sent|looks suspiciously like",
            r"not (currently )?accepting mail from your|not allowed to connect",
            r"mail from \[?\d{1,3}\.\d{1,3}\.[\d.]{3,7}\]? (was )?refused",
            r"(server|host) is listed (by|at|on|in)",
            r"access denied|service refused|connection (refused|dropped|rejected) (by|due|from)",
            r"go away",
            (
                r"your (host|ip|server|network|domain)[^\n]{0,40}(not allowed|reject|block|banned|"
                r"denied)"
            ),
            r"my name was rejected|helo (command )?rejected|invalid (helo|ehlo|domain name)",
            r"use (the )?smtp server of",
            r"bad (helo|sender ip)|ip address[^\n]{0,40}(reject|denied|refused)|\bsender ip\b",
            r"no access from",
            r"invalid ip for sending|not accepting connections|too many errors",
            r"host network not allowed|too many spams from your|please use the smtp server of",
            r"ip not in whitelist",
        ),
    ),
    (
        "norelaying",
        _any(
            r"relay(ing)? (not permitted|access denied|denied|prohibited|not allowed|disallowed)",
            r"no relaying|unable to relay|cannot relay|not? (allowed|permitted) to relay",
            r"we do not relay|insecure mail relay",
            r"not (a )?(local|gateway) (host|domain)|prohibit(s|ed)[^\n]{0,20}relay",
        ),
    ),
    (
        "hasmoved",
        _any(
            r"has moved|no forwarding address|recipient (has )?moved|new address|user has moved",
            r"has been replaced by",
            r"please try <|address has changed|moved to|user not local\b",
        ),
    ),
    (
        "mailboxfull",
        _any(
            (
                r"(mail ?box|mail ?folder|mail ?file|inbox|account|storage|disk|user)[^\n]{0,40}(full|"
                r"quota|exceed|overflow)"
            ),
            (
                r"(over|exceed(s|ed|ing)?|out of|insufficient)[^\n]{0,30}(quota|mail ?box|storage|disk space|"
                r"allowed size)"
            ),
            r"quota (violation|exceed|full|reached)|overquota|mail ?box space not enough|full mailbox",
            r"not enough (disk|storage) space",
            r"too much mail stored|no space left|mailbox size limit|user is over",
            r"メールボックスが一杯|一杯のため",
            r"messages in recipient's mailbox exceed|maildir over|postfach (ist )?voll",
            r"boîte[^\n]{0,30}pleine|buzón[^\n]{0,20}lleno",
        ),
    ),
    (
        "suspend",
        _any(
            (
                r"(account|mailbox|user|recipient|address)[^\n]{0,40}(suspend|disabled|discontinued|inactive|"
                r"locked|deactivated|frozen)"
            ),
            (r"\b(suspended|disabled|inactive|locked|closed) (account|mailbox|user|recipient|address)"),
            r"not been collected|temporarily inactiv|has been disabled|currently disabled",
        ),
    ),
    (
        "mesgtoobig",
        _any(
            r"message (size |file )?(is )?too (big|large)|size limit",
            r"exceed(s|ed)? (the )?(max|fixed|size|message|limit)",
            r"too large|max(imum)? message size|message length exceeds|line limit exceeded",
            r"larger than",
        ),
    ),
    (
        "notaccept",
        _any(
            r"(does ?(not|n't)|doesn't|not) accept (any )?(mail|e-mail|email)(?! (with|from))\b",
            r"no smtp service",
            r"null ?mx|not accepting mail(?! (with|from (your|unknown|senders|hosts|servers|this)))",
            r"no mx records? (was |were )?found|couldn't find a mail exchanger|no mail exchanger",
            r"mx (record )?points to|domain does not (receive|accept)",
            r"all (relevant )?mx records point to",
        ),
    ),
    (
        "hostunknown",
        _any(
            (
                r"(\bhost|domain|dns|name server)(?! said)[^\n]{0,25}?(unknown|not found|"
                r"lookup (failure|error)|does ?(not|n't) exist)"
            ),
            r"(unknown|no such|bad|invalid|illegal) (host|domain|destination system|mail domain)",
            r"host or domain name not found",
            r"unrout(e)?able (address|mail domain|domain)|couldn't find any host|couldn't resolve",
            r"not routable",
            r"domain[^\n]{0,30}(may not exist|is not valid|could not be found)",
            r"name or service not known|nxdomain|(domain|host) must exist",
            r"mail domain [^\n]{0,60} is unknown|no mail server for",
            r"553 \S{1,80} does not exist|name server[^\n]{0,20}host not found|no such domain",
        ),
    ),
    (
        "userunknown",
        _any(
            (
                r"(user|recipient|mailbox|address|account|addressee|name|local-?part)[^\n]{0,40}(unknown|"
                r"not (found|known|exist|recognized|listed|valid)|no longer|non-?exist|invalid|does ?(not|"
                r"n't) exist)"
            ),
            (
                r"(unknown|no such|invalid|nonexist\w{0,4}|bad|wrong|illegal|undefined|"
                r"unrecogni[sz]ed) (or illegal )?(user|recipient|mailbox|address|account|local|name|"
                r"final|destination mailbox|alias|person)"
            ),
            r"no (such|mailbox|user|valid recipients|local|account)",
            r"does ?(not|n't) (have a|like recipient)|doesn't have a",
            r"not (a )?(known|valid|listed|our|registered)",
            r"mailbox (unavailable|not available|not found)",
            r"recipient not found|could ?(not|n't) be found|wasn.t found|no matches",
            r"not our customer|^(smtp; ?)?5\d\d[ -](#?5\.\d\.\d{1,2} )?\W{0,3}not found",
            r"(not|n't) exists?\b",
            r"\bbad[ _-]?(recipient|rcpt ?to)|archived recipient|can(no|')t accept user",
            r"(user|recipient)\W{0,6}not ok",
            r"destination (addresses were unknown|server rejected recipients)|address[ _]not[ _]found",
            r"not an? (active|local) (e-?mail )?address|(recipient|user|address) is not local",
            r"not email addresses",
            r"mailbox not present|no mail box|account unavailable|non-existent",
            r"no one (at|by|with) (this|that)",
            r"unknown (e-?mail|virtual)|missing home directory|not found in (the )?(ldap|directory)",
            r"(doesn't|does not) handle mail for|unable to find (alias|user)|not a member of (the )?domain",
            r"(recipient|address) (cannot|can't|could not) be verified|no longer accepts",
            r"user path no exist|valid notes mail|unavailable mailbox|mailbox name not allowed",
            r"unregistered (user|recipient|address)|not present in (the )?(ldap|directory)",
            r"invalid e-?mail address(?! (format|syntax))|no e-?mail address registered",
            r"no longer (on (this |the )?(server|system|staff)|with (us|the|this|our)|employed|works?)\b",
            r"[45]\.1\.\d{1,2} address rejected",
            r"existe pas|no existe|nicht (bekannt|vorhanden)",
            r"リストにありません",
            r"is not a (valid|known|registered)|did not exactly match|not hbc|no one here",
            r"addressee unknown|dosn't exist",
        ),
    ),
    (
        "networkerror",
        _any(
            r"network (error|unreachable|is unreachable)|no route to host|too many hops|hop count",
            r"mail loop|routing loop|looping|loop detected|excessive recursion|server is (down|unreachable)",
            r"forwarded more (often )?than|forwarded too (many times|often)",
            r"unable to establish an smtp connection|wasn't able to establish|connection refused",
            r"loops back|connection (was )?(reset|dropped|closed|lost|broken)|(is|host) unreachable",
            r"not reachable",
            r"unexpected name server reply|unable to resolve route",
            r"name server timeout|network is down|could not connect|unable to connect",
        ),
    ),
    (
        "expired",
        _any(
            r"(retry )?time(d)? ?out|timeout exceeded|expired|giving up|too long",
            r"not (yet )?been delivered|has been delayed",
            r"not (delivered )?within|(is )?not responding|did not (accept|respond)|delivery time",
            r"in queue too|for the last \d",
            r"cannot send message for|aborted after|maximum delivery attempts|will be retried",
            r"queue(d)? (time|period)|undeliverable for",
            r"host name lookup failure|deferred|is delayed|unable to be delivered after",
            r"socket error|delay|retry time not reached|failing for a long time|after \d{1,3} tries",
        ),
    ),
    (
        "contenterror",
        _any(
            r"content[^\n]{0,20}(error|reject|not accept|unaccept|denied)|media error",
            r"invalid (content|header|mime|charset)",
            r"8-?bit|malformed|message (format|header)|improper(?! sequence)|conversion|bare (lf|cr)",
            r"header (size|line|missing)",
        ),
    ),
    (
        "notcompliantrfc",
        _any(r"rfc ?\d{3,4}|not (rfc )?compliant|non-rfc|duplicate header|multiple (from|header)"),
    ),
    (
        "mailererror",
        _any(
            r"\bpipe to\b|\|/|command (failed|died|output)|exit (status|code)|x-unix",
            r"local delivery failed|procmail",
        ),
    ),
    (
        "securityerror",
        _any(
            r"not authori[sz]ed|not permitted|permission denied|authorization",
            r"does not support tls[^\n]{0,20}required",
            r"must (issue|use) (a )?(starttls|auth)|starttls is required|encryption|security",
            r"authentication (failure|required|credentials)|credentials invalid",
            r"sender (is )?not (allowed|authenticated)|restricted",
        ),
    ),
    (
        "policyviolation",
        _any(
            r"attachment (blocking|filter)|(banned|forbidden) attachment",
            r"policy|violat|prohibited|header error|not allowed by|administrative prohibition|compliance",
        ),
    ),
    (
        "rejected",
        _any(
            r"sender (address )?(rejected|denied|refused|verify failed|unknown|invalid)",
            r"bad sender|invalid sender",
            (
                r"(from|sender)[^\n]{0,30}(domain )?(is )?(invalid|does ?(not|n't) (exist|resolve)|reject|"
                r"not allowed|blacklisted)"
            ),
            r"not accept(ing)? (mail|messages) from|all recipient addresses rejected",
            r"rejected|refused|denied",
        ),
    ),
    (
        "syntaxerror",
        _any(
            r"syntax|command (unrecogni[sz]ed|not recogni[sz]ed|(parameter )?not implemented)|pipelin",
            r"(bad|improper) (command )?sequence|must precede|malformed address",
        ),
    ),
    (
        "systemfull",
        _any(
            r"insufficient (system|disk)|mail server is full|not enough space on|system storage|system full"
        ),
    ),
    (
        "systemerror",
        _any(
            (
                r"(system|server|service|internal|local|database|ldap)[^\n]{0,30}(error|problem|"
                r"failure|unavailable|temporar)"
            ),
            r"temporar(y|ily)|try again later|unable to contact ldap|does not support tls",
            r"not currently available|(server|system) (is )?(too )?busy|transaction failed$",
            r"could not load|queue file|(input/output|write) error|can't create (user )?output",
        ),
    ),
    (
        "filtered",
        _any(r"rejected by a remote|filter|not accepted|mailbox unavailable|was rejected"),
    ),
)
"""Reason and what is said for it, the most telling first; the vocabulary is the one that bounce processors
share (docs/conformance.md)."""
