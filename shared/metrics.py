"""Every metric once, with what a rise means; `docs/metrics.md` is made from this file.

Prefix `ombud_`, base units, no ids and no addresses in labels. One process, one registry: prometheus-client's
multiprocess mode leaks files of dead processes (client_python#275, #568), so it is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry(auto_describe=True)


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue."""

    name: str
    kind: str
    labels: tuple[str, ...]
    says: str
    rise: str


CATALOGUE: list[Entry] = []

_MOMENTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


def _note(name: str, kind: str, labels: Sequence[str], says: str, rise: str) -> None:
    CATALOGUE.append(Entry(name, kind, tuple(labels), says, rise))


def _counter(name: str, labels: Sequence[str], says: str, rise: str) -> Counter:
    _note(name, "counter", labels, says, rise)
    return Counter(name, says, labels, registry=REGISTRY)


def _gauge(name: str, labels: Sequence[str], says: str, rise: str) -> Gauge:
    _note(name, "gauge", labels, says, rise)
    return Gauge(name, says, labels, registry=REGISTRY)


def _histogram(
    name: str, labels: Sequence[str], says: str, rise: str, buckets: Sequence[float] = _MOMENTS
) -> Histogram:
    _note(name, "histogram", labels, says, rise)
    return Histogram(name, says, labels, registry=REGISTRY, buckets=buckets)


BUILD_INFO = _gauge("ombud_build_info", ["version", "service"], "Always 1.", "Never rises.")

# Events
EVENTS_PROCESSED = _counter(
    "ombud_events_processed_total",
    ["topic", "group", "outcome"],
    "Events a consumer is done with, by outcome: ok, dead, skipped.",
    "More traffic; dead: look at `ombud dead list`.",
)
EVENT_AGE = _histogram(
    "ombud_event_age_seconds",
    ["topic", "group"],
    "From an event's publication to the end of its handling.",
    "Customers wait: the consumer is too slow or was away.",
)
EVENT_SECONDS = _histogram(
    "ombud_event_handling_seconds",
    ["topic", "group"],
    "From the start of an event's handling to its end, retries included.",
    "The handler or what it depends on became slower.",
)
EVENT_RETRIES = _counter(
    "ombud_event_retries_total",
    ["topic", "group", "reason"],
    "Tries of an event that failed and will be made again, by error code.",
    "A dependency is ill (unavailable), writers collide (conflict), or handlers hang (took_too_long).",
)
EVENTS_DEAD = _counter(
    "ombud_events_dead_total",
    ["topic", "group", "reason"],
    "Events set aside on the dead topic, by error code.",
    "A poisoned event or a fault of ours: `ombud dead list` tells the reason.",
)
CONSUMER_LAG = _gauge(
    "ombud_consumer_lag_records",
    ["topic", "group"],
    "Records behind the committed offset, over this member's partitions.",
    "Events come faster than they are handled, or the consumer stands still.",
)
CONSUMER_LAST_POLL = _gauge(
    "ombud_consumer_last_poll_timestamp_seconds",
    ["group"],
    "When the consumer last asked the bus for events (Unix time).",
    "Always rises; standing still, the consumer is stuck.",
)
CONSUMER_IN_FLIGHT = _gauge(
    "ombud_consumer_in_flight",
    ["group"],
    "Events being handled or waiting behind one of their key.",
    "Handlers became slower; at its limit the consumer pauses.",
)
CONSUMER_STOPPED = _gauge(
    "ombud_consumer_stopped",
    ["group"],
    "1 when too large a share of events went to the dead topic and the consumer stopped itself.",
    "A deployment or a producer is broken: mend it, then start the service again.",
)
REBALANCES = _counter(
    "ombud_consumer_rebalances_total",
    ["group"],
    "Times partitions were taken from this member.",
    "Members come and go: deployments, evictions, a flapping broker.",
)
BUS_WAITS = _counter(
    "ombud_bus_waits_total",
    ["operation"],
    "Bus operations that took longer than the bus may take and are still waited for.",
    "The broker is down or overloaded; nothing is lost, everything waits.",
)
BUS_PRODUCER_RESTARTS = _counter(
    "ombud_bus_producer_restarts_total",
    [],
    "Times the producer had to be thrown away and built anew (aiokafka#1017).",
    "The broker rejected our sequence, usually after an outage.",
)
STORE_SECONDS = _histogram(
    "ombud_store_batch_seconds",
    ["operation"],
    "One bulk call to the document store.",
    "The database is slow or far away.",
)
OUTBOX_SWEPT = _counter(
    "ombud_outbox_swept_total",
    ["collection"],
    "Events that the sweep published because their writer did not.",
    "Processes die between saving and publishing.",
)

# Mail in
MAILBOX_CONNECTED = _gauge(
    "ombud_mailbox_connected",
    ["mailbox"],
    "1 while this process is logged in and holds the mailbox's lease.",
    "Falls: nobody reads the mailbox (summed over the replicas it must be 1).",
)
MAILBOX_LAST_SUCCESS = _gauge(
    "ombud_mailbox_last_success_timestamp_seconds",
    ["mailbox"],
    "When the mailbox was last looked into with success (Unix time).",
    "Always rises; standing still, mail waits on the server.",
)
MAILBOX_FAILURES = _counter(
    "ombud_mailbox_failures_total",
    ["mailbox", "reason"],
    "Failed logins, lost connections, refused commands.",
    "The mailbox server is ill or the credentials are wrong: `ombud doctor`.",
)
OAUTH_TOKEN_EXPIRES = _gauge(
    "ombud_oauth_token_expires_timestamp_seconds",
    ["dependency"],
    "When the access token of a mailbox or relay ends (Unix time); it is renewed when half its life is over.",
    "Always rises; less than 15 minutes ahead, renewing fails: see the log (`oauth.refused`).",
)
OAUTH_FAILURES = _counter(
    "ombud_oauth_failures_total",
    ["dependency", "reason"],
    "Access tokens that were asked for and not given, by the error of RFC 6749, or connection, or file.",
    "invalid_…: mend the credentials before the token ends; connection: the token endpoint is ill.",
)
MAIL_SEEN = _counter(
    "ombud_mail_seen_total",
    ["mailbox"],
    "Mails that reading has passed: each is on the bus or in the ledger.",
    "More mail; in the long run it equals the sum of the outcomes.",
)
MAIL_UNACCOUNTED = _gauge(
    "ombud_mail_unaccounted",
    ["mailbox"],
    "Mails on the server that were passed some time ago and that the ledger does not know.",
    "Intake is behind; without lag, mails are missing: `ombud mailbox reconcile`.",
)
MAIL_RECONCILED = _counter(
    "ombud_mail_reconciled_total",
    ["mailbox"],
    "Mails below the cursor that the ledger lacked and that were fetched once more.",
    "Events were lost between mailbox and intake, or intake was behind for long.",
)
MAIL_CLEARED = _counter(
    "ombud_mail_cleared_total",
    ["mailbox", "outcome"],
    "Handled mails flagged, moved or deleted on the server, as set: done, failed.",
    "failed: the server refuses it; the log (`mailbox.not_cleared`) says why, it is tried again.",
)
MAIL_OUTCOMES = _counter(
    "ombud_mail_outcomes_total",
    ["mailbox", "outcome"],
    "What became of the mails: ingested, quarantined, ignored.",
    "More mail; quarantined: `ombud quarantine list` tells the reason.",
)
MAIL_PARSE_WORKERS = _counter(
    "ombud_mail_parse_workers_total",
    ["outcome"],
    "Large and suspicious mails, read in a process apart: read, unreadable, killed, died.",
    "Larger or hostile mails; killed: one took longer than parse_seconds; died: something ended the process.",
)
MAIL_PARSE_SECONDS = _histogram(
    "ombud_mail_parse_seconds",
    [],
    "Reading one mail.",
    "Larger or hostile mails.",
)

# Tickets
TICKETS_OPENED = _counter(
    "ombud_tickets_opened_total", ["channel"], "Tickets opened.", "More customers ask, or threading fails."
)
TRIAGE_RUNS = _counter(
    "ombud_triage_runs_total",
    ["rung"],
    "Classifications, by the rung that answered.",
    "More tickets; rules instead of model: the model is away.",
)
TIMERS_FIRED = _counter(
    "ombud_timers_fired_total",
    ["target", "outcome"],
    "Deadlines that came due, by what they turned out to be: breached, met, cancelled, error.",
    "breached: customers wait longer than promised; error: see the log, it is tried again.",
)
SNOOZES_FIRED = _counter(
    "ombud_snoozes_fired_total",
    ["outcome"],
    "Ends of snoozes: opened, overtaken (the ticket was moved before), error.",
    "More tickets are put off; error: see the log, it is tried again.",
)
AGENT_MAILS = _counter(
    "ombud_agent_mails_total",
    ["outcome"],
    "Answers of users to our letters: done, refused, disabled, unconfirmed (nobody says they are theirs).",
    "refused: agents mistype; unconfirmed: AUTHSERV_ID is missing or wrong, or others write in their name.",
)
TIMER_LATENESS = _histogram(
    "ombud_timer_lateness_seconds",
    [],
    "From a deadline's due time to its firing.",
    "The escalation service was away or is overloaded.",
)

# Mail out
LETTERS = _counter(
    "ombud_letters_total",
    ["kind", "outcome"],
    "Letters by outcome of a try: sent, postponed, failed, uncertain; braked: not tried; paced: put off by a "
    "domain's rate.",
    "failed: people do not hear from us; `ombud letters list --state failed`.",
)
BOUNCES = _counter(
    "ombud_bounces_total",
    ["kind"],
    "Notices that a mail was not delivered: hard or soft for a letter of ours, unknown for anything else.",
    "hard: addresses that do not exist; unknown: somebody writes in our name, or forges notices.",
)
LETTER_AGE = _histogram(
    "ombud_letter_age_seconds",
    [],
    "From a letter's creation to the relay's 250.",
    "The relay is slow or refuses for now.",
)

# HTTP
HTTP_SECONDS = _histogram(
    "ombud_http_request_seconds",
    ["method", "route", "status"],
    "Requests to the API, by route template.",
    "The API became slower; by status: clients err (4xx) or we do (5xx).",
)
HTML_SHOWN = _counter(
    "ombud_html_shown_total",
    ["outcome"],
    "Messages shown as pages: html, text (there was no HTML); their text alone: too_large, killed (it took "
    "too long), died (it took too much memory).",
    "Agents read more; killed, died: hostile mails, or OMBUD_API__SHOWING__… are too small.",
)
DEPENDENCY_UP = _gauge(
    "ombud_dependency_up",
    ["dependency"],
    "1 while the dependency answered the last ping of /readyz.",
    "Falls: see the table in docs/operations.md.",
)
OVERVIEW_DRIFT = _counter(
    "ombud_overview_drift_total",
    [],
    "Tickets that a recount of the overview found counted wrongly.",
    "A fault of ours: the projection lost or doubled events.",
)
