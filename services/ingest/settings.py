"""Settings of ingest: how mailboxes are read, and how much of one mail is taken in."""

from typing import Literal

from pydantic import Field

from shared.runtime.settings import Section

MIB = 1024 * 1024


class Limits(Section):
    """What one mail may hold. Beyond a limit it is quarantined, or its ticket says what was left out."""

    mail_bytes: int = Field(
        default=50 * MIB, ge=1024, description="of a larger mail the headers make the ticket"
    )
    kept_bytes: int = Field(
        default=500 * MIB, ge=1024, description="a larger mail is not even kept: it stays on its server alone"
    )
    head_bytes: int = Field(default=256 * 1024, ge=1024, description="all headers of a mail together")
    headers: int = Field(default=1000, ge=10, description="header fields of a mail")
    parts: int = Field(default=500, ge=1, description="MIME parts, all levels together")
    depth: int = Field(default=20, ge=1, description="MIME parts within one another")
    addresses: int = Field(default=500, ge=1, description="kept of one address header, the rest is left out")
    references: int = Field(
        default=50, ge=1, description="ids of References that are looked at, newest first"
    )
    text_chars: int = Field(default=512 * 1024, ge=1024, description="kept of the text and of the HTML")
    parse_seconds: float = Field(
        default=10.0, gt=0, le=600, description="a mail that takes longer to read is quarantined"
    )
    parse_memory: int = Field(
        default=1024 * MIB, ge=256 * MIB, description="bytes of address space for reading a mail, as seconds"
    )
    apart_bytes: int = Field(
        default=128 * 1024, ge=0, description="a larger mail is read in a process of its own"
    )
    apart_fields: int = Field(
        default=200, ge=0, description="lines of headers from which on a mail is read there"
    )
    apart_parts: int = Field(
        default=100, ge=0, description="lines that look like boundaries from which on it is read there"
    )


class IngestSettings(Section):
    """Reading mailboxes, and making tickets of mails."""

    poll_seconds: float = Field(
        default=30.0, gt=0, le=540, description="look for mail at least so often, IDLE or not"
    )
    connect_seconds: float = Field(default=10.0, gt=0, description="patience when connecting to a server")
    answer_seconds: float = Field(default=60.0, gt=0, description="patience for a server's answer")
    batch: int = Field(default=200, ge=1, le=1000, description="mails fetched and published at a time")
    batch_bytes: int = Field(default=16 * MIB, ge=1024, description="bytes at a time, if not of one mail")
    fetch_tries: int = Field(
        default=5, ge=1, description="tries of a mail before it is quarantined unfetched"
    )
    parse_workers: int = Field(
        default=2, ge=1, description="processes at most that read large and suspicious mails"
    )
    lease_seconds: float = Field(
        default=30.0, ge=1, description="after so long another process takes a dead one's mailboxes"
    )
    retry_first: float = Field(default=1.0, gt=0, description="seconds before a lost mailbox is tried again")
    retry_longest: float = Field(default=60.0, gt=0, le=60, description="seconds at most between two tries")
    reconcile_seconds: float = Field(
        default=3600.0, gt=0, description="compare the server's mails with the ledger at least so often"
    )
    reconcile_grace: float = Field(
        default=60.0,
        gt=0,
        description="seconds for a mail to get into the ledger before it counts as missing",
    )
    clear_seconds: float = Field(
        default=30.0, gt=0, description="seconds between two looks for handled mail to flag, move or delete"
    )
    stale_days: float = Field(
        default=3.0,
        gt=0,
        description="mail that lay there for longer (a first import) gets no automatic answer; "
        "its deadlines count from when it was fetched",
    )
    subject_reference: Literal["participants", "any_sender", "off"] = Field(
        default="participants",
        description="whom [#10042] in a subject leads to the ticket; any_sender: ANYBODY WHO GUESSES A "
        "NUMBER writes on that ticket, though pending and without rights",
    )
    reference_in: list[Literal["subject", "body", "attachments"]] = Field(
        default=["subject"],
        description="where a ticket's number is looked for; whom it leads there, subject_reference says",
    )
    reference_hooks: list[str] = Field(
        default=[],
        max_length=20,
        description="what stands before a ticket's number, besides [#10042]: Ticket# of the help desk before",
    )
    header_references: bool = Field(
        default=True,
        description="false: In-Reply-To and References lead to no ticket, not even those of an answer to our "
        "letter; reply addresses, marks and numbers still do",
    )
    changed_subject: Literal["joins", "opens"] = Field(
        default="joins",
        description="what an answer to another person's mail under another subject does; opens: a ticket "
        "that links back",
    )
    automatic_without_ticket: Literal["opens", "ignored"] = Field(
        default="opens",
        description="what an automatic answer (out of office) does that belongs to no ticket; ignored: it is "
        "an entry in the ledger alone. Bounces and what machines write of their own accord always open one",
    )
    reopen_days: float = Field(
        default=14.0,
        ge=0,
        description="a reply to a ticket closed for longer opens a new one that links back; 0: always",
    )
    loop_mails: int = Field(
        default=3,
        ge=1,
        description="so many mails of machines in a row on a ticket, with none of a person, look like a loop",
    )
    soft_bounces: int = Field(
        default=3, ge=1, description="so many soft bounces (mailbox full …) hold letters to an address back"
    )
    soft_bounce_days: float = Field(
        default=7.0, gt=0, description="how long after the last of them, and how long one is remembered"
    )
    limits: Limits = Limits()
