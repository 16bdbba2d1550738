"""Generated files are what the code makes now, whole, and fit for what reads them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from pydantic import BaseModel

from deploy.generate import FILES, ROOT, asyncapi, env_example, metrics_page
from services.settings import OmbudSettings, read_settings
from shared.domain.events import EVENTS, TOPICS
from shared.domain.mail_fetched import TYPE as MAIL_FETCHED
from shared.metrics import CATALOGUE
from shared.runtime.settings import MailboxSettings

PARTS = asyncapi()


def variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Every variable that sets a field of the model."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from variables(field.annotation, f"{variable}__")
        elif name != "mailboxes":
            yield variable


ALL_SETTINGS = [
    *variables(OmbudSettings, "OMBUD_"),
    *variables(MailboxSettings, "OMBUD_MAILBOXES__SUPPORT__"),
]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's own."""
    for name in list(os.environ):
        if name.startswith("OMBUD_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_what_the_code_makes(name: str) -> None:
    assert (ROOT / name).read_text() == FILES[name](), "run `make docs`"


@pytest.mark.parametrize("name", FILES)
def test_making_a_file_twice_makes_the_same(name: str) -> None:
    assert FILES[name]() == FILES[name]()


@pytest.mark.parametrize("variable", ALL_SETTINGS)
def test_a_setting_stands_in_the_example_once(variable: str) -> None:
    lines = [line for line in env_example().splitlines() if line.startswith(f"# {variable}=")]

    assert len(lines) == 1


def test_the_example_holds_no_setting_that_there_is_not() -> None:
    named = [line.removeprefix("# ").partition("=")[0] for line in env_example().splitlines() if "=" in line]

    assert sorted(named) == sorted(ALL_SETTINGS)


def test_the_example_taken_as_it_stands_changes_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line uncommented, empty ones left out: what is read is what would be without it."""
    plain = read_settings()
    for line in env_example().splitlines():
        variable, separator, value = line.removeprefix("# ").partition("=")
        if separator and value and "MAILBOXES" not in variable:
            monkeypatch.setenv(variable, value)

    assert read_settings() == plain


def test_every_metric_has_a_line_of_five_cells_on_its_page() -> None:
    rows = [line for line in metrics_page().splitlines() if line.startswith("| `")]

    assert len(rows) == len(CATALOGUE)
    assert {row.count("|") for row in rows} == {6}


def test_every_event_is_described_with_all_its_fields() -> None:
    described = yaml.safe_load(PARTS)["components"]
    assert set(described["messages"]) == {MAIL_FETCHED, *EVENTS}
    for name, model in EVENTS.items():
        schema = described["schemas"][model.__name__]
        assert set(schema["properties"]) == set(model.model_fields)
        assert described["messages"][name]["payload"]["$ref"].endswith(f"/{model.__name__}")


def test_every_reference_among_the_events_leads_somewhere() -> None:
    document = yaml.safe_load(PARTS)
    references = [ref for ref in _references(document) if isinstance(ref, str)]

    assert references
    for reference in references:
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def _references(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_the_channels_are_the_topics() -> None:
    channels = yaml.safe_load(PARTS)["channels"].values()

    assert sorted(channel["address"] for channel in channels) == sorted(TOPICS)


def test_the_api_s_description_is_json_with_its_paths() -> None:
    described = json.loads(FILES["docs/openapi.json"]())

    assert "/v1/tickets" in described["paths"]


def test_the_check_says_that_all_is_in_step_and_writes_nothing() -> None:
    before = {name: (ROOT / name).stat().st_mtime_ns for name in FILES}
    checked = subprocess.run(
        [sys.executable, "-m", "deploy.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stdout) == (0, "")
    assert {name: (ROOT / name).stat().st_mtime_ns for name in FILES} == before
