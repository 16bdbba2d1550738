"""What the API shows of addresses that get no letters; see views.py."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.api.views import View
from shared.domain.documents import Instant
from shared.domain.suppressions import Suppression


class SuppressionView(View):
    """An address, whether it gets letters now, and why not."""

    address: str
    held: bool = Field(default=False, description="whether letters to it are held back now")
    reason: str = Field(description="one word for bounces, as userunknown; a person's own words")
    since: Instant = Field(description="when the first of what speaks against it came")
    until: Instant | None = Field(
        validation_alias="expires", description="when soft bounces are forgotten; null: it has to be lifted"
    )
    hard: int = Field(description="bounces for good that count")
    soft: int = Field(description="bounces for a passing reason that count")
    soft_limit: int = Field(description="so many of those hold letters back")
    evidence: list[str] = Field(
        validation_alias="counted", description="the messages that were the bounces, the newest last"
    )
    held_by: str = Field(description="the person who wants no letters to go there; empty: nobody")
    lifted_by: str = Field(description="who lifted it last; empty: nobody")
    lifted_at: Instant | None

    @classmethod
    def of(cls, known: Suppression, now: datetime) -> "SuppressionView":
        """What it looks like at this instant."""
        view = cls.model_validate(known)
        view.held = known.holds(now)
        return view


class SuppressionList(BaseModel):
    """A page of addresses."""

    data: list[SuppressionView]
    next_cursor: str | None
