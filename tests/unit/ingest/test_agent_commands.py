"""The commands of an agent's mail: what is read, and why anything else goes back."""

import time as clock
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.agent_commands import NAMES, Commands, parse
from shared.domain.errors import Invalid
from shared.domain.messages import LONGEST_SAID
from shared.domain.status import Status

AT = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))


def test_commands_stand_first_and_the_text_below_them_is_what_is_said() -> None:
    read = parse("#assign Ada@Example.org\n#status resolved\n#reply\n\nDear Eve,\n\n  it works.  \n\nAda\n")

    assert read.names == ["assign", "status", "reply"]
    assert (read.says, read.text) == ("reply", "Dear Eve,\n\n  it works.\n\nAda")
    assert (read.assign, read.status, read.snooze) == ("ada@example.org", Status.RESOLVED, None)


@pytest.mark.parametrize(
    "line",
    [
        "#note",
        "#NOTE",
        "# note",
        "#Note:",
        "  #note  ",
        "\u00a0#note\u00a0",
        "\u200b#note\u200b",
        "\ufeff#note",
        "\uff03note",
        "\ufe5fnote",
        "#\ufe0f\u20e3note",
        "\u2022 #note",
        "* #note",
        "- #note",
        "*#note*",
        "**#note**",
        "_#note:_",
        "\\#note",
        "\r#note\r",
        "\n\n \n#note\n\n",
    ],
)
def test_what_mail_programs_do_to_a_command_is_taken_off(line: str) -> None:
    assert parse(f"{line}\nCall him.") == Commands(["note"], "note", "Call him.")


def test_the_text_may_begin_on_the_line_of_its_command() -> None:
    assert parse("#note: Call him.\nSoon.").text == "Call him.\nSoon."
    assert parse("#status open\n#reply Thanks!").text == "Thanks!"
    assert parse("#reply *Please* wait").text == "*Please* wait"
    assert parse("#reply \u0915\u094d\u200d\u0937").text == "\u0915\u094d\u200d\u0937", (
        "joiners have a meaning"
    )


@pytest.mark.parametrize(
    ("whom", "read"),
    [
        ("me", "me"),
        ("Nobody", "nobody"),
        ("USR_0123", "usr_0123"),
        ("ada@example.org.", "ada@example.org"),
        ("*ada@example.org*", "ada@example.org"),
        ("<ada@example.org>", "ada@example.org"),
        ("Ada Lovelace <Ada@example.org>", "ada@example.org"),
        ("ada@example.org <mailto:ada@example.org>", "ada@example.org"),
        ("ada@example.org (mailto:ada@example.org)", "ada@example.org"),
    ],
)
def test_a_ticket_is_assigned_to_an_id_an_address_me_or_nobody(whom: str, read: str) -> None:
    assert parse(f"#assign {whom}").assign == read


@pytest.mark.parametrize(
    ("written", "status"),
    [("waiting", "waiting"), ("On Hold", "on_hold"), ("on-hold", "on_hold"), ("CLOSED.", "closed")],
)
def test_states_are_read_as_people_write_them(written: str, status: str) -> None:
    assert parse(f"#status {written}").status == status


@pytest.mark.parametrize(
    ("written", "until"),
    [
        ("90m", AT + timedelta(minutes=90)),
        ("30 min", AT + timedelta(minutes=30)),
        ("4h", AT + timedelta(hours=4)),
        ("1 day", AT + timedelta(days=1)),
        ("2 Weeks", AT + timedelta(weeks=2)),
        ("2026-12-01", datetime(2026, 12, 1, 8, 0, tzinfo=UTC)),
        ("2026-12-01 14:30", datetime(2026, 12, 1, 13, 30, tzinfo=UTC)),
        ("2026-12-01T7:05", datetime(2026, 12, 1, 6, 5, tzinfo=UTC)),
    ],
)
def test_a_snooze_lasts_a_span_or_until_a_time_of_the_agents_clock(written: str, until: datetime) -> None:
    assert parse(f"#snooze {written}").until(AT, BERLIN) == until


def test_without_a_snooze_there_is_no_instant() -> None:
    assert parse("#status open").until(AT, UTC) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no command"),
        ("Dear Eve,\n#reply", "no command"),
        ("reply\nDear Eve", "no command"),
        ("#10042 is done", "no command"),
        ("> #status closed", "no command"),
        ("#close", "there is no command #close; there are #reply, #note, #assign, #status, #snooze"),
        ("#replyto eve\nHi", "no command #replyto"),
        ("#reply\n#note\nHi", "#reply and #note"),
        ("#reply", "no text below #reply"),
        ("#note\n \n\u00a0\n", "no text below #note"),
        ("#assign me\nPlease look.", "text below the commands"),
        ("#status open\n#status closed", "#status is there twice"),
        ("#reply Hi\n#status closed", "#status stands within the text"),
        ("#reply\nHi\n* #NOTE: he is rude", "#note stands within the text"),
        ("#status", "no state ''"),
        ("#status done", "no state 'done'; there are open, waiting, on_hold, resolved, closed, spam"),
        ("#reply\n#status spam\nHi", "after a reply the ticket cannot be spam"),
        ("#reply\n#status new\nHi", "after a reply the ticket cannot be new"),
        ("#snooze 2d\n#status open", "cannot become open"),
        ("#snooze", "#snooze needs a time"),
        ("#snooze tomorrow", "#snooze needs a time"),
        ("#snooze 2 months", "#snooze needs a time"),
        ("#snooze -2d", "#snooze needs a time"),
        ("#snooze 999999999d", "#snooze needs a time"),
        ("#snooze 2026-02-30", "no such time"),
        ("#snooze 2026-02-03 25:00", "no such time"),
        ("#assign", "#assign needs"),
        ("#assign Ada", "#assign needs"),
        ("#assign usr_" + "0" * 99, "#assign needs"),
        ("#assign " + "a" * 600 + "@example.org", "#assign needs"),
        ("#assign ada@example.org, bob@example.org", "#assign needs"),
        ("#reply\n" + "x" * (LONGEST_SAID + 1), "characters: 100000 are the most"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(text: str, reason: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(text)

    assert reason in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(("written", "zone"), [("0001-01-01", 14), ("9999-12-31 23:59", -12)])
def test_a_time_that_no_calendar_has_is_refused(written: str, zone: int) -> None:
    with pytest.raises(Invalid, match="no such time"):
        parse(f"#snooze {written}").until(AT, timezone(timedelta(hours=zone)))


LINES = st.one_of(
    st.text(max_size=40),
    st.builds(
        "{}#{} {}".format,
        st.sampled_from(["", " ", "* ", "\u200b"]),
        st.sampled_from(NAMES),
        st.text(max_size=20),
    ),
    st.sampled_from(["", "#reply", "#note", "#assign me", "#status open", "#snooze 2d", "Dear Eve,"]),
)


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_whatever_is_written_is_understood_or_refused_and_never_said_to_both(text: str) -> None:
    try:
        read = parse(text)
    except Invalid:
        return
    assert read.names
    assert bool(read.text) == bool(read.says)
    assert read.says in ("", "reply", "note")
    for line in read.text.split("\n"):
        assert line.rstrip() in text, "nothing is said that was not written"


@given(st.text(max_size=200).filter(str.strip))
def test_text_that_begins_with_no_sign_is_never_a_command(text: str) -> None:
    with pytest.raises(Invalid, match="no command in its first line"):
        parse(f"Hello {text}")


@pytest.mark.parametrize(
    ("begins", "piece"),
    [
        *(("", piece) for piece in ["#", "*", "# ", "#reply ", " ", "#note\n", "\n", "a@", "\u200b"]),
        *((f"#{name} ", "a") for name in NAMES),
        ("#snooze ", "1 "),
        ("#assign ", "a@"),
    ],
)
def test_long_texts_take_time_that_grows_with_their_length_alone(begins: str, piece: str) -> None:
    """Ten times the text: far below the hundred times of what is quadratic."""

    def seconds(length: int) -> float:
        text, best = begins + (piece * length)[:length], float("inf")
        for _ in range(3):
            begun = clock.process_time()
            with suppress(Invalid):
                parse(text)
            best = min(best, clock.process_time() - begun)
        return best

    assert seconds(500_000) < 40 * max(seconds(50_000), 0.002)
