"""`ombud dead`: events that were set aside, and back on their way."""

from typing import Annotated

import typer

from services.cli.console import AlwaysJson, Json, say_json, table, with_platform
from services.settings import OmbudSettings
from shared.domain.errors import Invalid
from shared.domain.events import TOPICS
from shared.runtime.dead import DeadEvent, list_dead, note_replays, replay_dead, show_dead, with_replays
from shared.runtime.wiring import Wired

app = typer.Typer(help="Events that were set aside: list, show, replay.", no_args_is_help=True)

SHOWN = 100


async def _listed(wired: Wired, limit: int) -> list[DeadEvent]:
    found = [event for topic in TOPICS for event in await list_dead(wired.platform.bus, topic, limit)]
    return await with_replays(wired.platform.stores.dead_replays, found)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="At most so many a topic.", min=1)] = SHOWN, json: Json = False
) -> None:
    """The dead events, with the reason of each."""

    async def work(wired: Wired, _: OmbudSettings) -> list[DeadEvent]:
        return await _listed(wired, limit)

    events = with_platform(work)
    if json:
        say_json(*(event.model_dump(mode="json") for event in events))
        return
    rows = [[event.id, event.at, event.group, event.reason, event.replays or None] for event in events]
    table(rows, ["ID", "SINCE", "GROUP", "REASON", "REPLAYED"], "no dead events")


@app.command()
def show(event_id: str, json: AlwaysJson = False) -> None:
    """One dead event with its trace and where it came from, as JSON."""

    async def work(wired: Wired, _: OmbudSettings) -> DeadEvent:
        return await show_dead(wired.platform.bus, event_id)

    say_json(with_platform(work).model_dump(mode="json"))


@app.command()
def replay(
    event_ids: Annotated[list[str] | None, typer.Argument(help="Ids as `dead list` shows them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every one that was not replayed yet.")] = False,
    json: Json = False,
) -> None:
    """Put dead events back on their topic, once what was wrong is mended."""
    if all_ == bool(event_ids):
        raise Invalid("name the events to replay, or give --all")

    async def work(wired: Wired, _: OmbudSettings) -> list[DeadEvent]:
        platform = wired.platform
        chosen = event_ids or [e.id for e in await _listed(wired, SHOWN * SHOWN) if not e.replays]
        done = await replay_dead(platform.bus, chosen)
        await note_replays(platform.stores.dead_replays, platform.clock, [event.id for event in done])
        return done

    replayed = with_platform(work)
    if json:
        say_json(*({"event": "replayed", "id": event.id, "topic": event.topic} for event in replayed))
        return
    for event in replayed:
        print(f"replayed {event.id} to {event.topic}")
    if not replayed:
        print("nothing to replay")
