"""`ombud user`: who works on tickets, and by which addresses they are known."""

import sys
from typing import Annotated

import typer

from services.cli.console import Json, say, say_json, table, with_platform
from services.settings import OmbudSettings
from shared.domain.users import User
from shared.runtime.wiring import Wired

app = typer.Typer(help="Users, who work on tickets: add, list, disable.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="USER", help="The user's id, or an address of theirs.")]


@app.command()
def add(
    name: Annotated[str, typer.Option(help="The user's name.")],
    address: Annotated[
        list[str], typer.Option(help="An address of theirs; letters go to the first. Repeat for more.")
    ],
    json: Json = False,
) -> None:
    """Make a user, or give one whose first address is the first of these the others as well."""
    from shared.stores.users import add_user

    async def work(wired: Wired, settings: OmbudSettings) -> tuple[User, bool]:
        mailboxes = settings.mailboxes.values()
        ours = [mailbox.address for mailbox in mailboxes]
        now = wired.platform.clock.now()
        user = await add_user(wired.platform.stores, name, address, ours, now)
        return user, any(mailbox.authserv_id for mailbox in mailboxes)

    made, commands = with_platform(work)
    say(json, _told(made), made.id)
    if not commands:
        print(
            "ombud: commands by mail are refused until a mailbox has AUTHSERV_ID (docs/operations.md)",
            file=sys.stderr,
        )


@app.command("list")
def list_(json: Json = False) -> None:
    """The users there are."""
    from shared.stores.users import list_users

    async def work(wired: Wired, _: OmbudSettings) -> list[User]:
        return await list_users(wired.platform.stores)

    users = with_platform(work)
    if json:
        say_json(*(_told(user) for user in users))
        return
    rows = [[user.id, user.name, user.addresses, user.since, user.disabled_at] for user in users]
    head = ["ID", "NAME", "ADDRESSES", "SINCE", "DISABLED"]
    table(rows, head, "no users: make one with `ombud user add`")


@app.command()
def disable(user: Named, json: Json = False) -> None:
    """Neither letters nor commands from now on; what they did stays."""
    _set_enabled(user, False, json)


@app.command()
def enable(user: Named, json: Json = False) -> None:
    """Make a disabled user as before; they hear nothing of what was meanwhile."""
    _set_enabled(user, True, json)


def _set_enabled(name: str, enabled: bool, json: bool) -> None:
    from shared.stores.users import set_enabled

    async def work(wired: Wired, _: OmbudSettings) -> User:
        return await set_enabled(wired.platform.stores, name, enabled, wired.platform.clock.now())

    user = with_platform(work)
    done = "enabled" if enabled else "disabled"
    say(json, {"event": done, "id": user.id}, f"{done} {user.id}")


def _told(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "name": user.name,
        "addresses": user.addresses,
        "since": user.since,
        "disabled_at": user.disabled_at,
    }
