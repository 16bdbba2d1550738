"""Dates as senders write them."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.dates import date_of, written_date

NOON = datetime(2026, 9, 1, 12, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("Tue, 01 Sep 2026 10:00:00 +0200", datetime(2026, 9, 1, 8, tzinfo=UTC)),
        ("1 Sep 2026 10:00:00 -0000", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("yesterday", None),
        ("Tue, 99 Sep 2026 10:00:00 +0200", None),
        ("Tue, 1 Sep 2026 25:00:00 +0200", None),
        ("Fri, 31 Dec 9999 23:00:00 -2300", None),
        ("", None),
    ],
)
def test_dates_are_instants_in_utc_or_nothing(raw: str, found: datetime | None) -> None:
    assert date_of(raw) == found


@pytest.mark.parametrize(
    "raw",
    [
        "Tue, 1 Sep 2026 12:05:06 +0000",
        "Tue, 1 Sep 2026 ((nested) comment) 14:05:06 +0200 (CEST)",
        "2026-09-01T14:05:06+02:00",
        "2026-09-01 14:05:06+02:00",
        "2026/09/01 14:05:06 +0200",
        "Tue, 1 Sep 2026 14:05:06 +02:00",
        "Tue, 1 Sep 2026 12:05:06 PM +0000",
        "Tue, 1 Sep 2026 08:05:06 PM +0800",
        "Sep 1 2026 00:05:06 AM -1200",
        "Tue, 1 Sep 2026 14:05:06 CEST",
        "Tue, 1 Sep 2026 21:05:06 JST",
        "Tue, 1 Sep 2026 07:05:06 CDT",
        "Di, 1 Sep 2026 14:05:06 MESZ",
        "1-9-2026 12:05:06",
        "01.09.2026 14:05:06 +0200",
        "9/1/2026 12:05:06 PM",
        "Dienstag, 1. September 2026 14:05:06 +0200",
        "mar., 1 sept. 2026 14:05:06 +0200",
        "1 de septiembre de 2026 12:05:06",
        "Вт, 1 сен 2026 15:05:06 +0300",
        "September 1, 2026, 12:05:06 pm",
        "Tue, 01 Sep 2026 14:05:06 +0200Received: from x.example.org; Tue, 1 Sep 2026 15:00:00 +0000",
    ],
)
def test_a_date_is_read_as_programs_of_many_places_write_it(raw: str) -> None:
    assert date_of(raw) == NOON


@pytest.mark.parametrize(
    ("raw", "day"),
    [
        ("Wed, 4 März 2026 00:00:00 +0000", (3, 4)),
        ("4 mai 2026", (5, 4)),
        ("4 juin 2026 00:00:00", (6, 4)),
        ("4 juil. 2026 00:00:00", (7, 4)),
        ("Mi, 4 Okt 2026 00:00:00 +0000", (10, 4)),
        ("4 dez 2026 00:00:00", (12, 4)),
        ("29/4/2026 00:00:00", (4, 29)),
        ("Fri, 8 May 2026", (5, 8)),
    ],
)
def test_months_of_other_languages_and_days_without_a_time_are_read(raw: str, day: tuple[int, int]) -> None:
    assert date_of(raw) == datetime(2026, *day, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        "4/5/2026 10:00:00",
        "4 May flies and 3 others",
        "this is 4 May 2026",
        "4 May 2026 or so",
        "4 Foo 2026",
        "32-12-2026",
    ],
)
def test_what_may_mean_two_days_or_none_is_no_date(raw: str) -> None:
    assert date_of(raw) is None


def test_a_leap_second_is_the_one_before_it() -> None:
    assert date_of("Sat, 31 Dec 2016 23:59:60 +0000") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_the_written_date_keeps_the_senders_zone() -> None:
    found = written_date("Tue, 1 Sep 2026 09:05:06 AM +0900")

    assert found is not None
    assert (found.hour, found.utcoffset()) == (9, timedelta(hours=9))


@given(st.text(st.sampled_from("0123456789:./-+ ,apmTZ()SeptjuinдкMo"), max_size=60))
def test_no_date_is_too_strange_to_be_read(raw: str) -> None:
    date_of(raw)


@pytest.mark.parametrize("bait", ["1", "1:", "1/", "a ", " 1", "10:00 ", "(", "1 Sep "])
def test_a_hostile_date_of_a_quarter_megabyte_is_read_within_a_second(bait: str) -> None:
    raw = bait * (256 * 1024 // len(bait))
    started = time.process_time()
    date_of(raw)

    assert time.process_time() - started < 1.0
