"""The events that others rely on: every sample of every released version keeps parsing."""

import inspect
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.domain.events import EVENTS, Event, parse_event
from shared.domain.received import Received

SAMPLES = sorted((Path(__file__).parents[2] / "data" / "events").glob("*.json"))
NOW = "2026-11-20T12:00:00Z"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_released_sample_is_read_and_none_of_its_fields_is_lost(sample: Path) -> None:
    golden = json.loads(sample.read_text())
    event = parse_event(golden["type"], json.dumps(golden["data"]))

    assert event is not None
    written = event.model_dump(mode="json")
    assert {name: written[name] for name in golden["data"]} == golden["data"]


def test_every_event_has_a_sample() -> None:
    assert {sample.stem for sample in SAMPLES} == set(EVENTS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_field_of_a_newer_version_is_passed_over(sample: Path) -> None:
    golden = json.loads(sample.read_text())

    assert parse_event(golden["type"], json.dumps(golden["data"] | {"moon_phase": "full"})) is not None


@pytest.mark.parametrize("kind", EVENTS.values(), ids=lambda kind: kind.type)
def test_an_event_says_by_its_id_which_document_tells_of_it(kind: type[Event]) -> None:
    """Two documents whose events share an id: the relay would publish the first, and clear both."""
    assert not inspect.isabstract(kind)


def test_an_event_of_a_newer_version_is_none_and_no_error() -> None:
    assert parse_event("ombud.ticket.teleported.v1", "{}") is None


def test_an_event_that_lacks_a_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        parse_event("ombud.ticket.opened.v1", "{}")


def test_the_cause_of_what_a_handler_does_is_the_same_when_the_event_comes_again() -> None:
    golden = json.loads(SAMPLES[0].read_text())
    event = parse_event(golden["type"], json.dumps(golden["data"]))
    assert event is not None
    first = Received(event, "00-trace").cause("triage", event.occurred_at)
    second = Received(event, "00-trace").cause("triage", event.occurred_at)

    assert first == second
    assert first.key == f"triage:{event.id}"
    assert first.key != Received(event).cause("notify", event.occurred_at).key
