"""The OpenAPI document and the pages made from it: complete, committed, and true."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.core.result import Ok
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.api.openapi import COMMITTED, rendered
from services.api.problems import KINDS
from services.api.raw_mails import RAW
from tests.unit.api.house import House, open_house


@cache
def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(rendered())
    return parsed


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_the_committed_document_is_the_one_the_routes_make() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == rendered(), "run: python -m services.api.openapi"


async def test_the_document_is_served_to_everybody(house: House) -> None:
    answer = await house.client.get("/openapi.json", headers={"Authorization": ""})

    assert answer.json() == document()


def test_every_operation_has_a_name_of_its_own_a_tag_and_words() -> None:
    names = [operation["operationId"] for _, operation in operations()]

    assert len(names) == len(set(names)) == 31
    for name, operation in operations():
        assert operation["tags"], name
        assert operation["summary"], name
        assert operation["description"], name


def test_every_error_that_is_described_is_a_problem_with_an_example() -> None:
    made = document()
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            if status >= "400":
                (media,) = answer["content"].items()
                assert media[0] == "application/problem+json", name
                assert media[1]["schema"] == {"$ref": "#/components/schemas/Problem"}, name
                codes = set(media[1]["examples"])
                assert {str(KINDS[code].status) for code in codes} == {status}, name
    assert set(made["components"]["examples"]) == set(KINDS)
    for code, example in made["components"]["examples"].items():
        assert example["value"]["code"] == code


def test_every_body_has_an_example() -> None:
    schemas = document()["components"]["schemas"]
    for name, operation in operations():
        for media in operation.get("requestBody", {}).get("content", {}).values():
            named = media["schema"].get("$ref")
            assert schemas[named.rpartition("/")[2]]["examples"] if named else media["example"], name


def test_every_reference_leads_somewhere() -> None:
    made = document()
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', rendered())):
        target: Any = made
        for step in reference.split("/"):
            target = target[step]


class Page(HTMLParser):
    """What a page refers to, and what it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.add(value or "")


async def test_the_documentation_shows_every_operation_and_loads_nothing(house: House) -> None:
    answer = await house.client.get("/docs", headers={"Authorization": ""})
    page = Page(answer.text)

    assert {operation["operationId"] for _, operation in operations()} <= set(page.ids)
    assert set(document()["components"]["schemas"]) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "form"})
    assert page.attributes.isdisjoint({"style", "onclick", "onload"})
    assert {link for link in page.links if not link.startswith(("#", "/"))} == set()
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


@pytest.mark.parametrize("path", ["/docs", "/docs/problems"])
async def test_the_pages_style_is_the_one_their_policy_allows(house: House, path: str) -> None:
    answer = await house.client.get(path)
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert 'name="viewport"' in answer.text


schemathesis.serializer.alias(RAW, "application/octet-stream")  # a mail is bytes to it


class InItsOwnLoop:
    """The API opened in the event loop of whoever serves it, by ASGI's lifespan."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._house: House | None = None
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            assert self._house is not None
            await self._house.app(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            # Roomy, for the wrong texts it makes are long: they are to be refused for what they say.
            self._house = await open_house(self._folder, stack, body_limit=16 * 1024 * 1024)
            self.headers = await self._house.bearer("*")
            for minute in range(3):
                ticket = await self._house.ticket(minute)
                await self._house.message(ticket.id)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_schemathesis_finds_nothing(tmp_path: Path, mode: schemathesis.GenerationMode) -> None:
    """Requests made from the document, valid and not, get answers that the document describes.

    That every valid request is accepted is not asked: no document can say which cursor we have signed, which
    version a ticket has, and that a search goes without `sort`.
    """
    app = InItsOwnLoop(tmp_path)
    try:
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            if mode is schemathesis.GenerationMode.NEGATIVE and not _can_be_wrong(operation):
                continue

            @hypothesis.settings(
                max_examples=8,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate(headers=app.headers, excluded_checks=[positive_data_acceptance])

            ask()
    finally:
        shutdown_lifespans()


def _can_be_wrong(operation: Any) -> bool:
    return bool(operation.body) or any(True for _ in operation.iter_parameters())
