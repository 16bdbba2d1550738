"""Notices of mail systems for tests, written in their manners."""


def notice(
    text: str,
    sender: str = "Mail Delivery System <MAILER-DAEMON@mx.example.net>",
    subject: str = "failure notice",
    headers: str = "",
) -> bytes:
    """A notice of one part."""
    head = (
        f"From: {sender}\r\nTo: support@example.com\r\nSubject: {subject}\r\nMessage-ID: <n1@mx>\r\n{headers}"
    )
    return f"{head}\r\n{text}".replace("\r\n", "\n").replace("\n", "\r\n").encode()


def report(fields: str, text: str = "It did not work.", original: str = "<let_1@example.com>") -> bytes:
    """A report of RFC 3464 with the head of the mail that came back."""
    return notice(
        f"--b\nContent-Type: text/plain\n\n{text}\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.example.net\n\n{fields}\n--b\nContent-Type: text/rfc822-headers\n\n"
        f"From: support@example.com\nTo: ada@example.org\nMessage-ID: {original}\n--b--\n",
        subject="Undelivered Mail Returned to Sender",
        headers=(
            'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n'
        ),
    )
