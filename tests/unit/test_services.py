"""A service is named in few places; missing in one of them it would not run, or be held to nothing."""

import tomllib
from pathlib import Path

import pytest
import yaml

from services.cli.serve import VERBS
from services.settings import OmbudSettings

ROOT = Path(__file__).parents[2]
SERVICES = sorted(file.parent.name for file in (ROOT / "services").glob("*/service.py"))


def test_every_service_is_a_verb() -> None:
    assert sorted(VERBS) == SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_settings_of_its_own(service: str) -> None:
    assert service in OmbudSettings.model_fields


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_in_the_containers(service: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

    assert compose["services"].get(service, {}).get("command") == [service]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_not_import_another(service: str) -> None:
    """The layers name it beside its siblings; a package they do not name would be held to nothing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    (siblings,) = [layer.split(" | ") for layer in layers if "services.ingest" in layer]

    assert f"services.{service}" in siblings
