"""The load: mails of about 8 KB, of people who do not exist, each opening a ticket of its own."""

import random
from datetime import UTC, datetime
from email.utils import format_datetime

WORDS = (
    "the order arrived late and box was open please tell me what can be done about invoice for last month "
    "since payment went through twice login fails with an error after update printer in second office prints "
    "nothing we need this before friday many thanks for help kind regards from all of us here at branch"
).split()
BODY_SIZE = 7_500
"""Bytes of text; with the headers about 8 KB."""


def mail(number: int, to: str, run: str = "bench") -> bytes:
    """One raw mail; the same for the same arguments."""
    chance = random.Random(f"{run}-{number}")
    subject = " ".join(chance.choices(WORDS, k=6))
    lines, size = [], 0
    while size < BODY_SIZE:
        line = " ".join(chance.choices(WORDS, k=12))
        lines.append(line)
        size += len(line) + 2
    sent = format_datetime(datetime.now(UTC))
    head = [
        f"Return-Path: <customer{number}@example.org>",
        "Received: from mx.example.org (mx.example.org [192.0.2.7]) by mail.example.net with ESMTPS",
        f"Message-ID: <{run}.{number}@example.org>",
        f"Date: {sent}",
        f"From: Customer {number} <customer{number}@example.org>",
        f"To: {to}",
        f"Subject: {subject}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    return "\r\n".join([*head, "", *lines, ""]).encode()
