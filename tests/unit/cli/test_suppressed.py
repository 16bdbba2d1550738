"""`ombud letters` on addresses that get none: held back by hand, listed, lifted."""

import json

from tests.unit.cli.conftest import Ombud


def test_an_address_is_held_back_listed_and_lifted_and_who_did_it_is_kept(ombud: Ombud) -> None:
    held = ombud("letters", "suppress", "Eve@Example.org", "--reason", "asked by phone")
    listed = ombud("letters", "suppressed")
    lifted = ombud("letters", "lift", "eve@example.org", "--json")
    after = json.loads(ombud("letters", "suppressed", "--json").out)

    assert held.out == "eve@example.org is not written to\n"
    assert "asked by phone" in listed.out
    assert json.loads(lifted.out) == {"event": "lifted", "address": "eve@example.org"}
    assert (after["held"], after["lifted_by"], after["held_by"]) == (False, "operator", "")


def test_what_is_no_address_or_was_never_held_back_is_told_in_one_line(ombud: Ombud) -> None:
    for words in (("suppress", "eve", "--reason", "x"), ("lift", "eve@example.org")):
        done = ombud("letters", *words)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
