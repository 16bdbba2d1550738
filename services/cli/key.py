"""`ombud key`: the keys of the API."""

from typing import Annotated

import typer

from services.cli.console import Json, say, say_json, table, with_platform
from services.settings import OmbudSettings
from shared.runtime.wiring import Wired

app = typer.Typer(help="Keys of the API: make, list, revoke.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Who uses it; shown as the actor of what it does.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; repeat for more.")],
    json: Json = False,
) -> None:
    """Make a key. It is shown this once; of its secret only a digest is kept."""
    from services.api.keys import create_key

    async def work(wired: Wired, _: OmbudSettings) -> str:
        return await create_key(wired.platform.stores, wired.platform.clock, name, scope)

    made = with_platform(work)
    if json:
        say_json({"key": made, "name": name, "scopes": scope})
    else:
        print(made)


@app.command("list")
def list_(json: Json = False) -> None:
    """The keys there are."""
    from services.api.keys import list_keys

    async def work(wired: Wired, _: OmbudSettings) -> list[dict[str, object]]:
        return [
            {
                "id": k.id,
                "name": k.name,
                "scopes": k.scopes,
                "created_at": k.created_at,
                "revoked_at": k.revoked_at,
            }
            for k in await list_keys(wired.platform.stores)
        ]

    keys = with_platform(work)
    if json:
        say_json(*keys)
        return
    rows = [[k["id"], k["name"], k["scopes"], k["created_at"], k["revoked_at"]] for k in keys]
    table(rows, ["ID", "NAME", "SCOPES", "CREATED", "REVOKED"], "no keys: make one with `ombud key create`")


@app.command()
def revoke(key_id: str, json: Json = False) -> None:
    """Make a key useless, within seconds."""
    from services.api.keys import revoke_key

    async def work(wired: Wired, _: OmbudSettings) -> None:
        await revoke_key(wired.platform.stores, wired.platform.clock, key_id)

    with_platform(work)
    say(json, {"event": "revoked", "id": key_id}, f"revoked {key_id}")
