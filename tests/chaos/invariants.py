"""I1 to I10: what must hold after any run. Each check gives sentences, none when it holds. Pure.

A sentence names the token, ticket or process at fault and where to look, so that a person can act on it. What
a check had nothing to look at is not green: `proved_nothing` says so.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import pairwise

from tests.chaos.evidence import Entry, Evidence, Letter, Sent

AUTOMATIC_PER_SENDER = 3
"""The brake's default for ten minutes, which is longer than a run."""
RELAY_CONNECTIONS = 40
"""Letters that may be between their last byte and the relay's answer when their sender is killed."""
SENDERS = ("notify", "run")
"""Processes that send letters."""
LATENESS = timedelta(seconds=5)
MOST_MEMORY = 250.0
"""MB that a service may reach."""
STEEPEST = 0.10
"""Share by which memory may grow over the last half of a run."""
FLAT_AFTER = 300.0
"""Seconds that a process must have lived before its memory can be called flat or not."""
SHOWN = 20
"""Sentences of one check that are shown: a thousand of a kind say no more."""

Check = Callable[[Evidence], Iterable[str]]


def i1_every_mail_is_a_message_or_in_quarantine(run: Evidence) -> Iterable[str]:
    """`sent == messages + quarantine`, and no mail in both."""
    kept = {token for message in run.kept for token in message.tokens}
    quarantined = {entry.digest for entry in run.entries if entry.outcome == "quarantined"}
    entered = {entry.digest for entry in run.entries}
    for mail in run.sent:
        held, aside = mail.token in kept, mail.digest in quarantined
        if mail.digest not in entered:
            yield f"{mail.token}: in the mailbox, not in the ledger{' but a message' if held else ''}"
        elif not held and not aside:
            yield f"{mail.token}: in the ledger, but neither a message nor in quarantine"
        elif held and aside:
            yield f"{mail.token}: a message and in quarantine"
        elif held is not mail.readable:
            yield f"{mail.token}: {'a message' if held else 'in quarantine'}, and should be the other"
    known = {mail.token for mail in run.sent}
    for token in kept - known:
        yield f"{token}: a message that nobody sent"


def i2_one_message_each_and_one_ticket_a_thread(run: Evidence) -> Iterable[str]:
    """Each token in exactly one message document; each thread on one ticket, each ticket one thread."""
    where: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for message in run.kept:
        for token in message.tokens:
            where[token].append((message.id, message.ticket))
    for token, found in where.items():
        if len(found) > 1:
            yield f"{token}: in {len(found)} message documents: {', '.join(sorted(id_ for id_, _ in found))}"
    on: dict[str, set[str]] = defaultdict(set)
    of: dict[str, set[str]] = defaultdict(set)
    for mail in run.sent:
        for _, ticket in where.get(mail.token, []):
            on[mail.thread].add(ticket)
            of[ticket].add(mail.thread)
    yield from (
        f"thread {one}: on {len(many)} tickets {sorted(many)}" for one, many in on.items() if len(many) > 1
    )
    yield from (
        f"ticket {one}: holds {len(many)} threads {sorted(many)}" for one, many in of.items() if len(many) > 1
    )
    missing = set(of) - set(run.tickets)
    yield from (f"ticket {one}: has messages but no document" for one in missing)
    empty = set(run.tickets) - {message.ticket for message in run.kept}
    yield from (f"ticket {one}: a document without a message" for one in empty)
    entries = Counter(entry.uid for entry in run.entries)
    yield from (f"UID {uid}: {count} ledger entries" for uid, count in entries.items() if count > 1)


def i3_a_thread_is_taken_in_in_order(run: Evidence) -> Iterable[str]:
    """Per thread, mails were settled in the order in which the mailbox numbered them.

    A mail server numbers what was put into a maildir when it looks there: of mails that came within that
    moment it may see a later one first.
    """
    token = {mail.digest: mail.token for mail in run.sent}
    first = {entry.digest: entry for entry in sorted(run.entries, key=_uid, reverse=True)}
    for thread, mails in _threads(run.sent).items():
        entries = [first[mail.digest] for mail in mails if mail.digest in first]
        for before, after in pairwise(sorted(entries, key=_uid)):
            if after.at < before.at:
                yield f"thread {thread}: {token[after.digest]} was settled before {token[before.digest]}"


def i4_no_letter_goes_twice(run: Evidence) -> Iterable[str]:
    """Automatic mail at most once for each ticket and cause; an agent's reply at least once."""
    letters = {letter.message_id: letter for letter in run.letters}
    data = Counter(mail.message_id for mail in run.handed)
    for message_id, times in data.items():
        letter = letters.get(message_id)
        if letter is None:
            yield f"<{message_id}>: the relay took it, and no letter is known under it"
        elif letter.automatic and times > 1:
            yield f"<{message_id}>: an automatic letter of ticket {letter.ticket} went out {times} times"
    acknowledged = Counter(
        letters[mail.message_id].ticket
        for mail in run.handed
        if mail.message_id in letters and letters[mail.message_id].kind == "acknowledgement"
    )
    yield from (f"ticket {one}: acknowledged {n} times" for one, n in acknowledged.items() if n > 1)
    for letter in run.letters:
        if letter.state == "sent" and not data[letter.message_id]:
            yield f"letter {letter.id}: sent, says the store, but the relay never took it"
    yield from _unanswered(run, data)


def _unanswered(run: Evidence, data: Counter[str]) -> Iterable[str]:
    waiting = [letter for letter in run.letters if letter.state == "queued"]
    yield from (f"letter {letter.id}: still {letter.state} after the run" for letter in waiting)
    by_ticket: dict[str, list[Letter]] = defaultdict(list)
    for letter in run.letters:
        by_ticket[letter.ticket].append(letter)
    for ticket, asked in Counter(run.replies).items():
        out = [one for one in by_ticket[ticket] if one.kind == "reply" and data[one.message_id]]
        if len(out) < asked:
            yield f"ticket {ticket}: agents answered {asked} times, {len(out)} answers went out"
    held = [letter for letter in run.letters if letter.automatic and letter.state == "sending"]
    senders = sum(death.name.startswith(SENDERS) for death in run.deaths)
    if len(held) > RELAY_CONNECTIONS * max(1, senders):
        yield f"{len(held)} letters are held as uncertain, more than can have been on the wire"
    silent = _people(run) - {letter.ticket for letter in run.letters if letter.kind == "acknowledgement"}
    yield from (f"ticket {ticket}: no acknowledgement was ever written" for ticket in silent)


def _people(run: Evidence) -> set[str]:
    """The tickets whose first mail a person wrote."""
    first = {mail.token for mail in run.sent if mail.place == 0 and not mail.automatic and mail.readable}
    return {message.ticket for message in run.kept if first.intersection(message.tokens)}


def i5_no_machine_answers_a_machine(run: Evidence) -> Iterable[str]:
    """No automatic letter to the sender of automatic mail; a handful at most to anybody."""
    machines = {mail.sender for mail in run.sent if mail.automatic}
    to = Counter(mail.to for mail in run.handed if mail.automatic)
    people = {mail.sender for mail in run.sent}
    for address, count in to.items():
        if address in machines:
            yield f"{count} automatic letters went to {address}, which is a machine"
        elif address in people and count > AUTOMATIC_PER_SENDER:
            yield f"{count} automatic letters went to {address}, more than the brake allows"


def i6_nothing_unfinished_is_committed(run: Evidence) -> Iterable[str]:
    """At every sample, what lies before a committed offset is finished."""
    return run.offsets_ahead


def i7_it_recovers_by_itself(run: Evidence) -> Iterable[str]:
    """Only what was killed died, nothing was given up, everything is ready again."""
    yield from (f"{death.name}: died, and nobody had killed it" for death in run.deaths if not death.ours)
    yield from (
        f"{topic}: {count} events were set aside as dead" for topic, count in run.dead.items() if count
    )
    yield from (f"ticket {ticket}: never triaged" for ticket in run.untriaged)
    yield from (f"not ready 60 s after the last fault: {one}" for one in run.unready)


def i8_memory_is_bounded_and_flat(run: Evidence) -> Iterable[str]:
    """Each service stays below its limit, and its last half is flat."""
    for name, samples in run.memory.items():
        most = max(megabytes for _, megabytes in samples)
        if most > MOST_MEMORY:
            yield f"{name}: {most:.0f} MB, more than {MOST_MEMORY:.0f}"
        if samples[-1][0] - samples[0][0] >= FLAT_AFTER and grown(samples) > STEEPEST:
            yield f"{name}: memory grew by {grown(samples):.0%} over the last half"


def grown(samples: list[tuple[float, float]]) -> float:
    """How much memory grew over the last half, as a share: the mean of its end against that of its begin."""
    half = [megabytes for _, megabytes in samples[len(samples) // 2 :]]
    quarter = len(half) // 4
    if quarter == 0:
        return 0.0
    begin, end = sum(half[:quarter]) / quarter, sum(half[-quarter:]) / quarter
    return end / begin - 1.0


def i9_each_timer_has_one_outcome_in_time(run: Evidence) -> Iterable[str]:
    """A timer fires once, not before it is due, and not later than the outage and 5 s."""
    told = Counter(letter.ticket for letter in run.letters if letter.kind == "sla_breached")
    fired = Counter(timer.ticket for timer in run.timers if timer.state == "breached")
    latest = LATENESS + timedelta(seconds=run.outage)
    for timer in run.timers:
        name = f"{timer.target} of ticket {timer.ticket}"
        if timer.state == "breached" and timer.fired_at is None:
            yield f"{name}: breached, and does not say when"
        if timer.fired_at is not None and timer.fired_at < timer.due_at:
            yield f"{name}: fired {(timer.due_at - timer.fired_at).total_seconds():.1f} s too early"
        if timer.fired_at is not None and timer.fired_at - timer.due_at > latest:
            yield f"{name}: fired {(timer.fired_at - timer.due_at).total_seconds():.1f} s late"
        overdue = run.ended_at is not None and run.ended_at - timer.due_at > latest
        if timer.state == "running" and overdue:
            yield f"{name}: was due at {timer.due_at:%H:%M:%S} and has no outcome"
    for ticket, letters in told.items():
        if letters > fired[ticket]:
            yield f"ticket {ticket}: {letters} notices for {fired[ticket]} missed deadlines"


def i10_logs_are_json_and_hold_no_private_thing(run: Evidence) -> Iterable[str]:
    """Every log line is a JSON object; none holds a body, an address or a secret."""
    for name, line in run.log_lines:
        try:
            parsed = json.loads(line)
        except ValueError:
            yield f"log of {name}: a line that is no JSON: {line[:120]}"
            continue
        if not isinstance(parsed, dict):
            yield f"log of {name}: a line that is no object: {line[:120]}"
        for secret in run.secrets:
            if secret in line:
                yield f"log of {name}: {parsed.get('event')} holds {secret[:4]}…, which is private"


CHECKS: dict[str, Check] = {
    "I1": i1_every_mail_is_a_message_or_in_quarantine,
    "I2": i2_one_message_each_and_one_ticket_a_thread,
    "I3": i3_a_thread_is_taken_in_in_order,
    "I4": i4_no_letter_goes_twice,
    "I5": i5_no_machine_answers_a_machine,
    "I6": i6_nothing_unfinished_is_committed,
    "I7": i7_it_recovers_by_itself,
    "I8": i8_memory_is_bounded_and_flat,
    "I9": i9_each_timer_has_one_outcome_in_time,
    "I10": i10_logs_are_json_and_hold_no_private_thing,
}


def proved_nothing(run: Evidence, *, deaths: int = 0) -> Iterable[str]:
    """Why a run shows nothing: nothing was sent, read or compared, or fewer died than the scenario wanted."""
    if not run.sent:
        yield "no mail was delivered"
    if not run.kept and not any(entry.outcome == "quarantined" for entry in run.entries):
        yield "the stores hold nothing to compare"
    if not run.log_lines:
        yield "no log was read"
    if not run.offsets_compared:
        yield "no committed offset was compared"
    died = sum(death.ours for death in run.deaths)
    if died < deaths:
        yield f"{died} processes were killed, the scenario wants {deaths}"


def judged(run: Evidence, *, deaths: int = 0) -> list[str]:
    """Everything that is wrong with a run, each sentence with its invariant; empty when all hold."""
    wrong = [f"proved nothing: {why}" for why in proved_nothing(run, deaths=deaths)]
    for name, check in CHECKS.items():
        found = list(check(run))
        wrong += [f"{name}: {sentence}" for sentence in found[:SHOWN]]
        if len(found) > SHOWN:
            wrong.append(f"{name}: … and {len(found) - SHOWN} more")
    return wrong


def _uid(entry: Entry) -> int:
    return entry.uid


def _threads(sent: Iterable[Sent]) -> dict[str, list[Sent]]:
    threads: dict[str, list[Sent]] = defaultdict(list)
    for mail in sent:
        threads[mail.thread].append(mail)
    return {thread: sorted(mails, key=lambda mail: mail.place) for thread, mails in threads.items()}
