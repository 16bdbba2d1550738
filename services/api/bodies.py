"""What the API takes: bodies and parameters. A field that is not named here is refused.

Control characters are kept out of everything that may end in a header of a mail or in a log.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Header, Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from shared.domain.messages import LONGEST_SAID
from shared.domain.priority import Priority
from shared.domain.status import Status

_LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$"
_TEXT = r"^[^\x00]*[^\x00-\x20][^\x00]*$"
_MAILBOX = r"^[^@\x00-\x20\x7f-\xa0<>()\[\],;:\\\x22]+@[^@\x00-\x20\x7f-\xa0<>()\[\],;:\\\x22]+$"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _in_utc(value: object) -> datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("an instant looks like 2026-01-31T12:00:00Z (RFC 3339)")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("there is no such instant") from error


AskedInstant = Annotated[
    datetime, BeforeValidator(_in_utc), WithJsonSchema({"type": "string", "format": "date-time"})
]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE)]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_SAID, pattern=_TEXT)]
Address = Annotated[str, Field(min_length=3, max_length=254, pattern=_MAILBOX), AfterValidator(str.lower)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="names this request: sent again under the same key it is done once",
        examples=["6f1c0e1e-3a63-4a3c-9a6e-3f9c8a2d7b11"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="do it only to this version (ETag)", examples=['"3"']),
]
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", description="answer 304 if it is still this version (ETag)"),
]
TicketId = Annotated[str, Path(pattern=r"^tkt_[0-9a-z]{1,60}$", examples=["tkt_06dx3w5r8gk2m9qhv0tzn4cbje"])]
Id = Annotated[str, Path(pattern=r"^[0-9A-Za-z_]{1,80}$")]


class Body(BaseModel):
    """A body with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class CustomerBody(Body):
    """Who asks."""

    address: Address = Field(examples=["mia@example.com"])
    name: str = Field(default="", max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", examples=["Mia Berg"])


class NewTicket(Body):
    """A ticket to be opened, as if its customer had written a mail."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "mailbox": "support",
                    "subject": "Cannot log in",
                    "text": "Since this morning my password is refused.",
                    "customer": {"address": "mia@example.com", "name": "Mia Berg"},
                    "priority": "high",
                }
            ]
        }
    )

    mailbox: Line = Field(description="the configured name of one of our mailboxes")
    subject: Line
    text: Text
    customer: CustomerBody
    priority: Priority | None = Field(default=None, description="without it, triage finds one")


class NewReply(Body):
    """An answer to the customer; a letter follows."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "We have reset your password.", "then": "waiting"}]}
    )

    text: Text
    then: Literal[Status.OPEN, Status.WAITING, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED] = Field(
        default=Status.WAITING, description="the ticket's state afterwards"
    )


class NewNote(Body):
    """A note that customers never see."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Second time this week."}]})

    text: Text


class StatusBody(Body):
    """The state to move to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "resolved", "reason": "answered"}]})

    status: Status
    reason: str = Field(default="", max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")


class SnoozeBody(Body):
    """Until when to put the ticket off."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"until": "2027-01-31T09:00:00Z"}]})

    until: AskedInstant = Field(description="to come, by two years at most")


class AssigneeBody(Body):
    """Whose work it is; null: nobody's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"assignee": "ada", "team": "it"}]})

    assignee: Line | None
    team: Line | None


class PriorityBody(Body):
    """The priority that a person sets; no machine changes it afterwards."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": "critical"}]})

    priority: Priority


class SuppressionBody(Body):
    """Why an address is to get no letters."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "asked us by phone to stop"}]})

    reason: Line


class PageQuery(BaseModel):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=200, description="entries of a page")
    cursor: str | None = Field(default=None, max_length=2000, description="next_cursor of the page before")


class TicketQuery(PageQuery):
    """Which tickets; all conditions must hold, one of the values of a repeated one."""

    status: list[Status] = Field(default=[], max_length=10)
    priority: list[Priority] = Field(default=[], max_length=10)
    assignee: Line | None = None
    team: Line | None = None
    mailbox: Line | None = Field(default=None, description="one that a mail of the ticket came to")
    category: Line | None = None
    customer: Address | None = Field(default=None, description="the customer's address")
    number: int | None = Field(default=None, ge=1, le=2**53, description="the number that people see")
    updated_after: AskedInstant | None = Field(default=None, description="at or after it")
    updated_before: AskedInstant | None = None
    opened_after: AskedInstant | None = Field(default=None, description="at or after it")
    opened_before: AskedInstant | None = None
    q: Line | None = Field(
        default=None, description="all these words; best first, one page, without sort and cursor"
    )
    sort: Literal["-updated_at", "updated_at", "-opened_at", "opened_at", "-number", "number"] | None = Field(
        default=None, description="`-` for descending; -updated_at when nothing is said"
    )
