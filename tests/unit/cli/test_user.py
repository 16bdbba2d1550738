"""`ombud user`: users are made, listed, disabled and enabled, in both forms."""

import json

from tests.unit.cli.conftest import Ombud

ADA = ("user", "add", "--name", "Ada Lovelace", "--address", "Ada@Example.org")
MAILBOX = {
    "OMBUD_MAILBOXES__SUPPORT__ADDRESS": "support@example.org",
    "OMBUD_MAILBOXES__SUPPORT__HOST": "127.0.0.1",
}


def test_a_user_is_made_listed_disabled_and_enabled_in_both_forms(ombud: Ombud) -> None:
    made = json.loads(ombud(*ADA, "--address", "al@example.net", "--json").out)
    again = ombud(*ADA).out
    bob = ombud("user", "add", "--name", "Bob", "--address", "bob@example.org").out.strip()
    listed = ombud("user", "list").out
    disabled = ombud("user", "disable", "BOB@example.org").out
    ada, other = (json.loads(line) for line in ombud("user", "list", "--json").out.splitlines())

    assert (made["name"], made["addresses"]) == ("Ada Lovelace", ["ada@example.org", "al@example.net"])
    assert again == f"{made['id']}\n"
    assert "ada@example.org al@example.net" in listed
    assert disabled == f"disabled {bob}\n"
    assert (ada["disabled_at"], other["id"], bool(other["disabled_at"])) == (None, bob, True)
    assert json.loads(ombud("user", "enable", bob, "--json").out) == {"event": "enabled", "id": bob}


def test_an_address_of_another_user_or_of_a_mailbox_is_refused_with_the_reason(ombud: Ombud) -> None:
    ada = ombud(*ADA).out.strip()
    taken = ombud(
        "user", "add", "--name", "Bob", "--address", "b@example.org", "--address", "ada@example.org"
    )
    own = ombud("user", "add", "--name", "Us", "--address", "support+x@example.org", **MAILBOX)

    assert (taken.code, own.code) == (1, 1)
    assert f"ada@example.org belongs to the user {ada}" in taken.err
    assert "support+x@example.org is an address of a mailbox that we serve" in own.err
    assert len(ombud("user", "list", "--json").out.splitlines()) == 1


def test_whoever_makes_a_user_is_told_what_commands_by_mail_need(ombud: Ombud) -> None:
    told = ombud(*ADA, **MAILBOX).err
    set_up = ombud(*ADA, **MAILBOX, OMBUD_MAILBOXES__SUPPORT__AUTHSERV_ID="mx.example.org").err

    assert "AUTHSERV_ID" in told
    assert set_up == ""
