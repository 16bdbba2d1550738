"""A cluster keeps its ports over restarts, and gives one up only to somebody who sits on it."""

import socket
from pathlib import Path

from deploy.local.ports import Ports


def test_a_name_has_the_same_port_after_a_restart(tmp_path: Path) -> None:
    """Clients hold on to addresses: a mail program that was set up yesterday works today."""
    before = Ports(tmp_path / "ports.json")
    kafka, api = before.of("kafka"), before.of("api-1")
    after = Ports(tmp_path / "ports.json")

    assert (after.of("kafka"), after.of("api-1")) == (kafka, api)


def test_a_port_that_somebody_listens_on_is_given_up(tmp_path: Path) -> None:
    port = Ports(tmp_path / "ports.json").of("kafka")
    with socket.create_server(("127.0.0.1", port)):
        moved = Ports(tmp_path / "ports.json").of("kafka")

        assert moved != port
    assert Ports(tmp_path / "ports.json").of("kafka") == moved


def test_every_name_has_a_port_of_its_own(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")

    assert len({ports.of(f"triage-{number}") for number in range(50)}) == 50


def test_a_name_keeps_its_port_although_others_were_not_asked_for(tmp_path: Path) -> None:
    """With fewer replicas today the others' ports are still theirs tomorrow."""
    first = Ports(tmp_path / "ports.json")
    expected = {name: first.of(name) for name in ("a", "b", "c")}
    Ports(tmp_path / "ports.json").of("b")
    last = Ports(tmp_path / "ports.json")

    assert {name: last.of(name) for name in ("c", "b", "a")} == expected


def test_a_port_of_a_connection_that_fades_away_is_kept(tmp_path: Path) -> None:
    """A server that hung up first leaves its port in TIME_WAIT; it can be listened on all the same."""
    port = Ports(tmp_path / "ports.json").of("imap")
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
        client.close()

    assert Ports(tmp_path / "ports.json").of("imap") == port
