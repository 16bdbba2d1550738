"""What the containers stand on: the compose file's promises, and what a build is told about this machine."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.containers.__main__ import STANDINS
from deploy.containers.base import base_of, pip_configuration
from deploy.containers.engine import command_lines, mounts_under
from deploy.containers.product import CHECKED, CHECKOUT, COMPOSE_FILES, SUPPORT
from deploy.local.cluster import SERVICES
from services.settings import OmbudSettings
from shared.domain.errors import Refused
from tests.servers.keeper import KAFKA_IMAGE, MONGO_IMAGE


@pytest.fixture
def services() -> dict[str, Any]:
    """The compose file's services, with what they share written out."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE_FILES[0].read_text())["services"]
    return found


def test_every_service_is_in_the_compose_file_and_nothing_else_but_its_servers(
    services: dict[str, Any],
) -> None:
    assert set(services) == {*SERVICES, *STANDINS, "init"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_in_a_container_writes_nowhere_comes_back_and_has_time_to_drain(
    services: dict[str, Any], service: str
) -> None:
    drain = OmbudSettings.model_fields["consumer"].get_default(call_default_factory=True).drain

    assert services[service]["read_only"] is True
    assert services[service]["restart"] == "unless-stopped"
    assert float(services[service]["stop_grace_period"].rstrip("s")) > drain + 5


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_stopped_before_the_servers_that_it_says_goodbye_to(
    services: dict[str, Any], service: str
) -> None:
    """By way of `init` alone it is not: that has ended, and compose looks at what runs."""
    assert {"kafka", "mongo"} <= set(services[service]["depends_on"])


def test_nothing_in_the_compose_file_is_reached_from_other_machines(services: dict[str, Any]) -> None:
    """The test mail server knows no password worth the name, and the API speaks plain HTTP."""
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_kafkas_data_lies_in_its_volume(services: dict[str, Any]) -> None:
    """Its default is a folder in /tmp: every event would be gone with the container."""
    (volume,) = services["kafka"]["volumes"]

    assert services["kafka"]["environment"]["KAFKA_LOG_DIRS"] == volume.partition(":")[2]


def test_the_mail_servers_user_is_the_mailbox_that_ingest_reads(services: dict[str, Any]) -> None:
    """The server's way to write a user is `name:password@domain`; other ways make other users, silently."""
    settings = services["ingest"]["environment"]
    name, _, domain = settings["OMBUD_MAILBOXES__SUPPORT__ADDRESS"].partition("@")
    user = f"{name}:{settings['OMBUD_MAILBOXES__SUPPORT__PASSWORD']}@{domain}"

    assert f"{name}@{domain}" == settings["OMBUD_MAILBOXES__SUPPORT__USERNAME"] == SUPPORT
    assert f"-Dgreenmail.users={user}" in services["mail"]["environment"]["GREENMAIL_OPTS"].split()


def test_what_has_a_health_check_is_waited_for(services: dict[str, Any]) -> None:
    """The services have theirs from the image."""
    checked = {name for name, service in services.items() if "test" in service.get("healthcheck", {})}

    assert {*checked, *SERVICES} == set(CHECKED)


def test_tests_run_on_the_images_that_the_compose_file_names(services: dict[str, Any]) -> None:
    assert services["kafka"]["image"] == KAFKA_IMAGE
    assert services["mongo"]["image"] == MONGO_IMAGE


def test_the_override_touches_health_checks_alone() -> None:
    """What else it changed would not be shown to work."""
    changed = yaml.safe_load(COMPOSE_FILES[1].read_text())["services"]

    assert {key for service in changed.values() for key in service} == {"healthcheck"}


def test_the_base_is_the_one_that_the_dockerfile_names() -> None:
    assert base_of(CHECKOUT / "deploy" / "Dockerfile").startswith("python:")


def test_a_dockerfile_without_a_base_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")

    with pytest.raises(Refused, match="names no base"):
        base_of(tmp_path / "Dockerfile")


def test_a_build_is_told_where_packages_come_from_and_no_file_of_this_machine() -> None:
    listed = (
        ":env:.timeout='180'\nglobal.cert='/etc/ssl/ours.pem'\nglobal.index-url='http://packages/simple'\n"
    )

    assert pip_configuration(listed) == "[global]\nindex-url = http://packages/simple\ntimeout = 180\n"


def test_the_environment_counts_more_than_a_file() -> None:
    listed = ":env:.index-url='http://one/'\nglobal.index-url='http://two/'\n"

    assert pip_configuration(listed) == "[global]\nindex-url = http://one/\n"


def test_a_machine_without_settings_of_its_own_gives_none() -> None:
    assert pip_configuration("") == "[global]\n"


def test_this_process_is_among_those_looked_through_for_what_was_left_behind() -> None:
    lines = dict(command_lines())

    assert "python" in lines[os.getpid()]


def test_what_is_mounted_below_a_folder_is_found_and_what_lies_beside_it_is_not() -> None:
    assert mounts_under(Path("/dev"))
    assert not any(place == "/dev" for place in mounts_under(Path("/dev")))
    assert not mounts_under(Path("/de"))
