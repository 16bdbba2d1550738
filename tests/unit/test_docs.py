"""The pages name files and verbs that exist: what was moved is moved in the text as well."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
ROOMS = ("services", "shared", "deploy", "tests", "bench", "docs")
FILE = re.compile(r"`([\w./-]+\.(?:py|md|yaml|json|toml|sh))`")
VERB = re.compile(r"`make (\w+)")
PLACEHOLDER = re.compile(r"NAME|NOUN")


def is_there(named: str) -> bool:
    """A path from the root; or the end of one, of a folder that the text has named before."""
    return (ROOT / named).exists() or any(any((ROOT / room).rglob(named)) for room in ROOMS)


def test_a_file_that_was_moved_is_noticed() -> None:
    assert FILE.findall("see `services/notify/letters.py`") == ["services/notify/letters.py"]
    assert not is_there("services/notify/letters.py")
    assert is_there("services/notify/composer.py")
    assert is_there("composer.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = {name for name in FILE.findall(page.read_text()) if not PLACEHOLDER.search(name)}

    assert {name for name in named if not is_there(name)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_that_a_page_names_is_in_the_makefile(page: Path) -> None:
    known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(VERB.findall(page.read_text())) <= known
