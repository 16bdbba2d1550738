"""The compose file, run: started, used, hurt and ended as a person would, by its published ports.

Promises: each method returns when what its name says has happened, and raises `Refused` with what was seen
when it has not within its time; a service that did not get healthy is named with the end of its log.
"""

import http.client
import imaplib
import json
import os
import secrets
import signal
import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from deploy.containers.engine import Engine
from deploy.local.cluster import SERVICES
from services.sandbox.process import free_port
from shared.domain.errors import Refused

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE_FILES = (CHECKOUT / "docker-compose.yml", Path(__file__).with_name("override.yml"))
PROJECT = "ombud"
SUPPORT = "support@example.org"
SHOWN = 400  # characters of what a health check said last
CHECKED = ("kafka", "mongo", *SERVICES)  # what has a health check
WITHIN = 120.0  # seconds
ASK_EVERY = 0.2  # seconds
ANSWER_WITHIN = 5.0  # seconds


@dataclass
class Product:
    """One project of the compose file on this engine."""

    engine: Engine
    api_port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    imap_port: int = field(default_factory=free_port)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    key: str = field(default="", repr=False)

    def up(self) -> None:
        """`docker compose up`: start everything and wait until every health check is content."""
        self._compose("up", "--detach", "--no-build")
        until(self._all_healthy, "every service healthy", self._unhealthy)

    def down(self) -> None:
        """`docker compose down`: stop everything in order; the volumes stay."""
        self._compose("down")
        if left := self.engine.docker("ps", "--all", "--quiet").split():
            raise Refused(f"{len(left)} containers are left after `down`")

    def make_key(self) -> None:
        """A key of the API, by the command line inside a container."""
        command = ["ombud", "key", "create", "--name", "containers", "--scope", "*", "--json"]
        said = self.engine.docker("exec", self._container("api"), *command)
        self.key = str(json.loads(said.splitlines()[-1])["key"])

    def send(self, token: str) -> None:
        """A customer's mail, by SMTP."""
        sender = customer(token)
        lines = [
            f"From: {sender}",
            f"To: {SUPPORT}",
            f"Subject: Question {token}",
            f"Message-ID: <{token}@example.com>",
        ]
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=ANSWER_WITHIN) as relay:
            relay.sendmail(sender, [SUPPORT], "\r\n".join([*lines, "", "I cannot log in.", ""]))

    def ticket_of(self, token: str) -> dict[str, Any]:
        """Wait for the mail's triaged ticket; there is exactly one."""

        def triaged() -> dict[str, Any] | None:
            found = [one for one in self.tickets() if one["subject"] == f"Question {token}"]
            if len(found) > 1:
                raise Refused(f"{len(found)} tickets for one mail: {[one['number'] for one in found]}")
            return found[0] if found and found[0]["triage_state"] == "done" else None

        ticket: dict[str, Any] = until(triaged, f"a triaged ticket for the mail {token}")
        return ticket

    def tickets(self) -> list[dict[str, Any]]:
        """The tickets, at most 200; none while the API does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=ANSWER_WITHIN)
        try:
            connection.request(
                "GET", "/v1/tickets?limit=200", headers={"authorization": f"Bearer {self.key}"}
            )
            return list(json.load(connection.getresponse())["data"])
        except (OSError, http.client.HTTPException):
            return []
        finally:
            connection.close()

    def letters_to(self, token: str) -> list[Message]:
        """Wait until the customer has mail; read all of it by IMAP."""
        letters: list[Message] = until(
            lambda: self._mailbox(customer(token)), f"a letter to the sender of {token}"
        )
        return letters

    def kill_services(self) -> None:
        """SIGKILL to every service's process, as a fault would: `docker kill` counts as being stopped."""
        for service in SERVICES:
            os.kill(int(self._inspect(service)["State"]["Pid"]), signal.SIGKILL)

    def wait_for_restarts(self) -> None:
        """Wait until the restart policy has started every service anew and all are healthy again."""
        until(
            lambda: all(self._inspect(one)["RestartCount"] > 0 for one in SERVICES),
            "every service started anew",
        )
        until(self._all_healthy, "every service healthy again", self._unhealthy)

    def _mailbox(self, user: str) -> list[Message]:
        try:
            with imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=ANSWER_WITHIN) as client:
                client.login(user, user)
                client.select("INBOX", readonly=True)
                numbers = client.search(None, "ALL")[1][0].split()
                fetched = [client.fetch(number.decode(), "(RFC822)")[1][0] for number in numbers]
        except (imaplib.IMAP4.error, OSError):  # the mailbox is made by its first letter
            return []
        return [message_from_bytes(one[1]) for one in fetched if isinstance(one, tuple)]

    def _all_healthy(self) -> bool:
        return not self._states_of_unhealthy()

    def _states_of_unhealthy(self) -> dict[str, str]:
        states = {service: self._inspect(service)["State"]["Health"]["Status"] for service in CHECKED}
        return {service: state for service, state in states.items() if state != "healthy"}

    def _unhealthy(self) -> str:
        shown = []
        for service, state in self._states_of_unhealthy().items():
            log = self.engine.logs(self._container(service))
            checks = self._inspect(service)["State"]["Health"]["Log"] or [{"Output": ""}]
            shown.append(f"{service} is {state}: {checks[-1]['Output'].strip()[-SHOWN:]}\n{log}")
        return "\n".join(shown)

    def _inspect(self, service: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", self._container(service)))
        return found[0]

    def _container(self, service: str) -> str:
        return f"{PROJECT}_{service}_1"

    def _compose(self, *arguments: str) -> None:
        files = [word for file in COMPOSE_FILES for word in ("--file", str(file))]
        project = ["--project-name", PROJECT, "--project-directory", str(CHECKOUT)]
        environment = {
            "OMBUD_SECRET": self.secret,
            "OMBUD_API_PORT": str(self.api_port),
            "OMBUD_SMTP_PORT": str(self.smtp_port),
            "OMBUD_IMAP_PORT": str(self.imap_port),
        }
        self.engine.compose(*files, *project, *arguments, environment=environment)


def customer(token: str) -> str:
    """The address of the mail's sender, and the name of their mailbox on the test mail server."""
    return f"{token}@example.com"


def until(answer: Callable[[], Any], awaited: str, seen: Callable[[], str] = str) -> Any:
    """Ask until the answer is truthy, return it; `Refused` after `WITHIN` seconds, with what `seen` says."""
    deadline = time.monotonic() + WITHIN
    while not (found := answer()):
        if time.monotonic() > deadline:
            raise Refused(f"awaited for {WITHIN:g} s: {awaited}\n{seen()}".rstrip())
        time.sleep(ASK_EVERY)
    return found
