"""The judge judged: evidence of a good run is found good, and each single damage is named."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.evidence import Death, Entry, Evidence, Handed, Kept, Letter, Sent, Timer
from tests.chaos.invariants import AUTOMATIC_PER_SENDER, judged
from tests.chaos.load import PRIVATE, Load

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def good() -> Evidence:
    """Two mails of one thread, a machine's, one unreadable; an answer; a deadline that was missed."""
    sent = [
        Sent("token-a-0", "one", 0, "ann@people.example", "d0"),
        Sent("token-a-1", "one", 1, "ann@people.example", "d1"),
        Sent("token-a-2", "two", 0, "robot@people.example", "d2", automatic=True),
        Sent("token-a-3", "three", 0, "eve@people.example", "d3", readable=False),
    ]
    return Evidence(
        sent=sent,
        kept=[
            Kept("m0", "t1", ("token-a-0",), "d0"),
            Kept("m1", "t1", ("token-a-1",), "d1"),
            Kept("m2", "t2", ("token-a-2",), "d2"),
        ],
        entries=[
            Entry("e0", 1, "d0", "ingested", "", "t1", NOW),
            Entry("e1", 2, "d1", "ingested", "", "t1", NOW + timedelta(seconds=1)),
            Entry("e2", 3, "d2", "ingested", "", "t2", NOW),
            Entry("e3", 4, "d3", "quarantined", "too many headers", None, NOW),
        ],
        tickets=["t1", "t2"],
        letters=[
            Letter("l1", "t1", "acknowledgement", True, "ann@people.example", "l1@x", "sent", ""),
            Letter("l2", "t1", "reply", False, "ann@people.example", "l2@x", "sent", ""),
            Letter("l3", "t1", "sla_breached", True, "lead@house.example", "l3@x", "sent", ""),
        ],
        handed=[
            Handed("l1@x", "ann@people.example", automatic=True),
            Handed("l2@x", "ann@people.example", automatic=False),
            Handed("l3@x", "lead@house.example", automatic=True),
        ],
        timers=[Timer("d1", "t1", "first_response", "breached", NOW, NOW + timedelta(seconds=1))],
        replies=["t1"],
        deaths=[Death("ingest-1", ours=True)],
        offsets_compared=4,
        memory={"ingest-1": [(float(n), 80.0) for n in range(40)]},
        log_lines=[("ingest-1", '{"event": "mailbox.opened"}')],
        secrets=[PRIVATE],
        ended_at=NOW + timedelta(minutes=5),
    )


def test_a_run_in_which_all_holds_is_found_good() -> None:
    assert judged(good(), deaths=1) == []


def test_the_order_of_a_thread_is_the_one_in_which_the_mailbox_has_it() -> None:
    run = good()
    earlier, later = run.entries[:2]
    run.entries[:2] = [replace(earlier, uid=later.uid, at=later.at), replace(later, uid=1, at=earlier.at)]

    assert judged(run, deaths=1) == []


def lose_a_mail(run: Evidence) -> None:
    run.kept.pop(0)
    run.entries.pop(0)


def lose_a_message(run: Evidence) -> None:
    run.kept.pop(1)


def skip_the_ledger(run: Evidence) -> None:
    run.entries.pop(1)


def quarantine_a_message(run: Evidence) -> None:
    run.entries[0] = replace(run.entries[0], outcome="quarantined")


def make_one_up(run: Evidence) -> None:
    run.kept.append(Kept("m9", "t1", ("token-a-99",), "d9"))


def double_a_message(run: Evidence) -> None:
    run.kept.append(Kept("m9", "t1", ("token-a-0",), "d0"))


def split_a_thread(run: Evidence) -> None:
    run.kept[1] = replace(run.kept[1], ticket="t9")
    run.tickets.append("t9")


def join_two_threads(run: Evidence) -> None:
    run.kept[2] = replace(run.kept[2], ticket="t1")
    run.tickets.remove("t2")


def forget_a_ticket(run: Evidence) -> None:
    run.tickets.remove("t2")


def open_an_empty_ticket(run: Evidence) -> None:
    run.tickets.append("t9")


def enter_one_twice(run: Evidence) -> None:
    run.entries.append(replace(run.entries[0], id="e9"))


def settle_out_of_order(run: Evidence) -> None:
    run.entries[1] = replace(run.entries[1], at=NOW - timedelta(seconds=1))


def send_one_twice(run: Evidence) -> None:
    run.handed.append(run.handed[0])


def acknowledge_twice(run: Evidence) -> None:
    run.letters.append(replace(run.letters[0], id="l9", message_id="l9@x"))
    run.handed.append(replace(run.handed[0], message_id="l9@x"))


def send_unknown(run: Evidence) -> None:
    run.handed.append(Handed("who@x", "ann@people.example", automatic=False))


def claim_it_was_sent(run: Evidence) -> None:
    run.handed.pop(0)


def leave_one_queued(run: Evidence) -> None:
    run.letters[0] = replace(run.letters[0], state="queued")


def lose_an_answer(run: Evidence) -> None:
    run.letters.pop(1)
    run.handed.pop(1)


def hold_too_many(run: Evidence) -> None:
    run.letters += [replace(run.letters[0], id=f"h{n}", ticket=f"h{n}", state="sending") for n in range(99)]


def never_acknowledge(run: Evidence) -> None:
    run.letters.pop(0)
    run.handed.pop(0)


def answer_a_machine(run: Evidence) -> None:
    run.letters.append(replace(run.letters[0], id="l9", ticket="t2", message_id="l9@x"))
    run.handed.append(Handed("l9@x", "robot@people.example", automatic=True))


def flood_somebody(run: Evidence) -> None:
    for number in range(AUTOMATIC_PER_SENDER):
        run.letters.append(
            replace(run.letters[0], id=f"f{number}", ticket=f"f{number}", message_id=f"f{number}@x")
        )
        run.handed.append(Handed(f"f{number}@x", "ann@people.example", automatic=True))


def commit_ahead(run: Evidence) -> None:
    run.offsets_ahead.append("e1: a mail is committed and has no ledger entry")


def die_alone(run: Evidence) -> None:
    run.deaths.append(Death("notify-1", ours=False))


def give_an_event_up(run: Evidence) -> None:
    run.dead["ombud.tickets.v1.dead"] = 1


def stay_unready(run: Evidence) -> None:
    run.unready.append("notify-1: smtp")


def leave_one_untriaged(run: Evidence) -> None:
    run.untriaged.append("t1")


def grow(run: Evidence) -> None:
    run.memory["ingest-1"] = [(float(n * 10), 80.0 + n) for n in range(40)]


def swell(run: Evidence) -> None:
    run.memory["ingest-1"] = [(float(n), 900.0) for n in range(40)]


def fire_early(run: Evidence) -> None:
    run.timers[0] = replace(run.timers[0], fired_at=NOW - timedelta(seconds=2))


def fire_late(run: Evidence) -> None:
    run.timers[0] = replace(run.timers[0], fired_at=NOW + timedelta(seconds=30))


def never_fire(run: Evidence) -> None:
    run.timers[0] = replace(run.timers[0], state="running", fired_at=None)


def tell_twice(run: Evidence) -> None:
    run.letters.append(replace(run.letters[2], id="l9", message_id="l9@x"))
    run.handed.append(replace(run.handed[2], message_id="l9@x"))


def log_nonsense(run: Evidence) -> None:
    run.log_lines.append(("notify-1", "Traceback (most recent call last):"))


def log_a_body(run: Evidence) -> None:
    run.log_lines.append(("notify-1", f'{{"event": "x", "text": "{PRIVATE}"}}'))


@pytest.mark.parametrize(
    ("invariant", "damage", "named"),
    [
        ("I1", lose_a_mail, "token-a-0"),
        ("I1", lose_a_message, "token-a-1"),
        ("I1", skip_the_ledger, "token-a-1"),
        ("I1", quarantine_a_message, "token-a-0"),
        ("I1", make_one_up, "token-a-99"),
        ("I2", double_a_message, "token-a-0"),
        ("I2", split_a_thread, "thread one"),
        ("I2", join_two_threads, "ticket t1"),
        ("I2", forget_a_ticket, "ticket t2"),
        ("I2", open_an_empty_ticket, "ticket t9"),
        ("I2", enter_one_twice, "UID 1"),
        ("I3", settle_out_of_order, "token-a-1"),
        ("I4", send_one_twice, "l1@x"),
        ("I4", acknowledge_twice, "ticket t1"),
        ("I4", send_unknown, "who@x"),
        ("I4", claim_it_was_sent, "letter l1"),
        ("I4", leave_one_queued, "letter l1"),
        ("I4", lose_an_answer, "ticket t1"),
        ("I4", hold_too_many, "99 letters"),
        ("I4", never_acknowledge, "ticket t1"),
        ("I5", answer_a_machine, "robot@people.example"),
        ("I5", flood_somebody, "ann@people.example"),
        ("I6", commit_ahead, "e1"),
        ("I7", die_alone, "notify-1"),
        ("I7", give_an_event_up, "ombud.tickets.v1.dead"),
        ("I7", stay_unready, "notify-1"),
        ("I7", leave_one_untriaged, "ticket t1"),
        ("I8", grow, "ingest-1"),
        ("I8", swell, "ingest-1"),
        ("I9", fire_early, "ticket t1"),
        ("I9", fire_late, "ticket t1"),
        ("I9", never_fire, "ticket t1"),
        ("I9", tell_twice, "ticket t1"),
        ("I10", log_nonsense, "notify-1"),
        ("I10", log_a_body, "notify-1"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_damage_is_named(invariant: str, damage: object, named: str) -> None:
    run = deepcopy(good())
    assert callable(damage)
    damage(run)

    assert [one for one in judged(run) if one.startswith(f"{invariant}: ") and named in one]


@pytest.mark.parametrize(
    ("emptied", "deaths", "why"),
    [
        ({"sent": []}, 0, "no mail was delivered"),
        ({"kept": [], "entries": []}, 0, "hold nothing to compare"),
        ({"log_lines": []}, 0, "no log was read"),
        ({"offsets_compared": 0}, 0, "no committed offset was compared"),
        ({"deaths": []}, 1, "0 processes were killed"),
        ({"deaths": [Death("ingest-1", ours=False)]}, 1, "0 processes were killed"),
    ],
)
def test_a_run_that_shows_nothing_is_not_green(
    emptied: dict[str, list[object]], deaths: int, why: str
) -> None:
    run = good()
    for name, value in emptied.items():
        setattr(run, name, value)

    assert [one for one in judged(run, deaths=deaths) if one.startswith("proved nothing") and why in one]


def test_the_same_seed_makes_the_same_mails(tmp_path: Path) -> None:
    def raws(seed: str, name: str) -> list[bytes]:
        return [mail.raw for mail in Load(seed, tmp_path / name, tmp_path / f"{name}.d").mails(50)]

    assert raws("a", "first") == raws("a", "second") != raws("b", "third")


def test_a_token_is_in_the_log_before_its_mail_is_in_the_mailbox(tmp_path: Path) -> None:
    log = tmp_path / "sent.jsonl"
    load = Load("a", log, tmp_path / "maildir")
    (tmp_path / "maildir" / "tmp").rename(tmp_path / "away")  # so that no mail can be put into the mailbox

    with pytest.raises(FileNotFoundError):
        load.deliver(load.mails(1))

    assert "token-a-0" in log.read_text()
