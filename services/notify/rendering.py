"""The words of our letters: Jinja2 templates, one set a language, which an operator may replace.

A template is looked for as `<language>/<kind>.<part>`, then `common/…`, then `en/…`, each time first in the
operator's folder; the parts are `subject`, `txt` and `html`. HTML escapes everything put into it, and a name
that a template uses and nobody fills is an error: no letter goes out with a hole in it.

On failure: a template that cannot be read is `Refused` at start; one that cannot be filled is `Invalid`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    select_autoescape,
)

from services.notify.rules import Kind
from shared.domain.errors import Invalid, Refused

BUILT_IN = Path(__file__).parent / "templates"
FALLBACK = "en"
SHARED = "common"
PARTS = ("subject", "txt", "html")


@dataclass(frozen=True, slots=True)
class Written:
    """What a letter says; `subject` is one line, not yet fit for a header."""

    subject: str
    text: str
    html: str


class Templates:
    """See the module. Raises `Refused` when a template of ours or the operator's cannot be read.

    `languages` are those that there is any template in, the operator's included.
    """

    def __init__(self, own: Path | None = None) -> None:
        folders = [folder for folder in (own, BUILT_IN) if folder is not None]
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
            autoescape=select_autoescape(enabled_extensions=("html",), default=False),
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._found = cache(self._find)
        try:
            names = self._environment.list_templates()
            for name in names:
                self._environment.get_template(name)
        except (TemplateError, UnicodeDecodeError) as fault:
            raise Refused(f"a template of {own or BUILT_IN} cannot be read: {fault}") from fault
        self.languages = frozenset(name.partition("/")[0] for name in names if "/" in name) - {SHARED}

    def chosen(self, *wishes: str) -> str:
        """The first of these languages that we have templates in, else English."""
        return next((known for wish in wishes if (known := _plain(wish)) in self.languages), FALLBACK)

    def write(self, kind: Kind, language: str, values: Mapping[str, Any]) -> Written:
        """The letter in this language, or in English where we have no other. Raises `Invalid`."""
        subject, text, html = self._found(kind, self.chosen(language))
        try:
            return Written(
                " ".join(subject.render(values).split()), text.render(values).strip("\n"), html.render(values)
            )
        except TemplateError as fault:
            raise Invalid(f"the template of {kind.value} cannot be filled: {fault}") from fault

    def _find(self, kind: Kind, language: str) -> tuple[Template, Template, Template]:
        folders = dict.fromkeys((language, SHARED, FALLBACK))
        subject, text, html = (
            self._environment.select_template([f"{folder}/{kind.value}.{part}" for folder in folders])
            for part in PARTS
        )
        return subject, text, html


def paragraphs(text: str) -> list[list[str]]:
    """The text as paragraphs of lines, for HTML that keeps a writer's line ends."""
    blocks = "\n".join(line.rstrip() for line in text.splitlines()).split("\n\n")
    return [block.strip("\n").split("\n") for block in blocks if block.strip()]


def _plain(language: str) -> str:
    """`de` out of `de-AT` or `DE_at`."""
    return language.lower().replace("_", "-").partition("-")[0]
