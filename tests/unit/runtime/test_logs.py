"""One line an event, whatever stands in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.runtime import logs
from shared.runtime.settings import LogSettings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(**settings: str) -> io.StringIO:
    stream = io.StringIO()
    logs.set_up(LogSettings(**settings), "triage", stream)
    return stream


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    stream = lines()
    structlog.get_logger().info("ticket.opened", ticket="tkt_1")
    line = json.loads(stream.getvalue())

    assert (line["event"], line["service"], line["level"], line["ticket"]) == (
        "ticket.opened",
        "triage",
        "info",
        "tkt_1",
    )


def test_a_line_break_in_a_field_makes_no_second_line() -> None:
    stream = lines()
    structlog.get_logger().info("x", said='a\n{"event":"forged"}')

    assert stream.getvalue().count("\n") == 1


def test_what_is_below_the_level_is_not_written() -> None:
    stream = lines(level="warning")
    structlog.get_logger().info("x")

    assert stream.getvalue() == ""


def test_a_long_field_is_cut() -> None:
    stream = lines()
    structlog.get_logger().info("x", said="a" * 10_000)

    assert len(json.loads(stream.getvalue())["said"]) == logs.LONGEST_FIELD + 1


def test_an_exception_is_part_of_its_line() -> None:
    stream = lines()
    try:
        raise ZeroDivisionError("inside")
    except ZeroDivisionError:
        structlog.get_logger().exception("part.failed")

    assert json.loads(stream.getvalue())["exception"][0]["exc_type"] == "ZeroDivisionError"


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_tells_where_it_happened_but_not_what_the_variables_held(form: str) -> None:
    stream = lines(format=form)
    password = "-".join(["hunter", "2"])
    try:
        raise ZeroDivisionError("inside")
    except ZeroDivisionError:
        structlog.get_logger().exception("part.failed")

    assert "test_logs.py" in stream.getvalue()
    assert password not in stream.getvalue()


def test_a_librarys_warning_becomes_an_event_of_ours() -> None:
    stream = lines()
    logging.getLogger("aiokafka").warning("broker %s is away\nsecond line", 1)
    line = json.loads(stream.getvalue())

    assert (line["event"], line["library"], line["text"]) == ("library.says", "aiokafka", "broker 1 is away")


def test_what_a_library_says_over_and_over_is_written_once() -> None:
    stream = lines()
    for number in range(100):
        logging.getLogger("aiokafka").warning("broker %s is away", number)
    logging.getLogger("aiokafka").warning("something else")
    logging.getLogger("pymongo").warning("broker %s is away", 1)

    assert [json.loads(line)["text"] for line in stream.getvalue().splitlines()] == [
        "broker 0 is away",
        "something else",
        "broker 1 is away",
    ]


def test_a_library_that_says_nothing_in_many_words_ends_nothing() -> None:
    stream = lines()
    logging.getLogger("aiokafka").warning("")

    assert json.loads(stream.getvalue())["text"] == ""


def test_text_is_for_people() -> None:
    stream = lines(format="text")
    structlog.get_logger().warning("mailbox.waits", mailbox="support")

    assert "mailbox.waits" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
