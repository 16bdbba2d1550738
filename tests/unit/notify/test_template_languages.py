"""The built-in templates, all languages side by side: complete, filled alike, escaped and marked."""

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, meta

from services.ingest.agent_commands import NAMES, parse
from services.ingest.quote_words import MARKERS
from services.ingest.reply_text import split
from services.notify.preview import SAMPLES, preview
from services.notify.rendering import BUILT_IN, PARTS, Templates
from services.notify.rules import Kind
from shared.domain.errors import Invalid
from tests.unit.notify.test_rendering import LANGUAGES

EVIL = "<b onload=x>&\"'"

IN_WORDS = [Kind.ACKNOWLEDGEMENT, Kind.SLA_BREACHED]
"""The kinds whose templates are a language's own; a reply has the agent's words alone."""

TO_BE_ANSWERED = [Kind.ASSIGNED, Kind.CUSTOMER_REPLIED, Kind.COMMAND_FAILED]
"""The kinds that are one for all languages, with words out of `agent_words.txt`."""

WORD = re.compile(r'word == "(\w+)"')


def used_names(language: str, kind: Kind, part: str) -> set[str]:
    """The names that a template asks for, and those that it includes."""
    environment, found = Environment(autoescape=True), set[str]()
    waiting = [f"{language}/{kind.value}.{part}"]
    while waiting:
        tree = environment.parse((BUILT_IN / waiting.pop()).read_text("utf-8"))
        found |= meta.find_undeclared_variables(tree)
        waiting += [name for name in meta.find_referenced_templates(tree) if name is not None]
    return found


def evil(kind: Kind) -> dict[str, Any]:
    values = {name: EVIL if isinstance(value, str) else value for name, value in SAMPLES[kind].items()}
    if "paragraphs" in values:
        values["paragraphs"] = [[EVIL]]
    return {**values, "number": EVIL, "mailbox_name": EVIL, "language": "en"}


def test_the_languages_are_those_that_we_mean_to_have() -> None:
    assert Templates().languages == set(LANGUAGES) == set(MARKERS)


@pytest.mark.parametrize("kind", IN_WORDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_words_of_its_own_for_each_part(language: str, kind: Kind) -> None:
    for part in PARTS:
        own = (BUILT_IN / language / f"{kind.value}.{part}").read_text("utf-8")
        english = (BUILT_IN / "en" / f"{kind.value}.{part}").read_text("utf-8")
        assert language == "en" or own != english


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", IN_WORDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_fills_in_the_same_as_english(language: str, kind: Kind, part: str) -> None:
    assert used_names(language, kind, part) == used_names("en", kind, part)
    assert used_names(language, kind, part) <= {*SAMPLES[kind], "mailbox_name", "language"}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_that_is_filled_in_becomes_markup_in_any_language(language: str, kind: Kind) -> None:
    html = Templates().write(kind, language, {**evil(kind), "language": language}).html

    assert "<b onload" not in html
    assert "&lt;b onload=x&gt;&amp;" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_acknowledgement_says_above_which_line_to_answer_and_intake_knows_that_line(language: str) -> None:
    written = preview(Templates(), "acknowledgement", language)
    line, *_ = written.text.splitlines()

    assert line.strip("# ").casefold() == MARKERS[language]
    assert line in written.html
    assert split(f"It works now.\n\n{written.text}").reply_text == "It works now."


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_below_a_quoted_acknowledgement_is_kept(language: str) -> None:
    quoted = "\n".join(
        f"> {line}" for line in preview(Templates(), "acknowledgement", language).text.splitlines()
    )

    assert "It works now." in split(f"{quoted}\n\nIt works now.").reply_text


def words_of(language: str) -> dict[str, str]:
    """The words of a language for letters to agents, by their names."""
    file = f"{language}/agent_words.txt"
    names = WORD.findall((BUILT_IN / file).read_text("utf-8"))
    template = Environment(trim_blocks=True, autoescape=False).from_string(  # noqa: S701 (text)
        (BUILT_IN / file).read_text("utf-8")
    )
    return {name: template.render(word=name, number=10_042, subject="Fire") for name in names}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_all_words_of_letters_to_agents(language: str) -> None:
    own, english = words_of(language), words_of("en")
    asked = set(re.findall(r'say\("(\w+)"\)', "".join(one.read_text() for one in BUILT_IN.glob("common/*"))))

    assert own.keys() == english.keys() == asked
    for name, words in own.items():
        assert words.strip() == words != ""
        assert ("10042" in words, "Fire" in words) == ("10042" in english[name], "Fire" in english[name])
        assert {one for one in NAMES if f"#{one}" in words} == {
            one for one in NAMES if f"#{one}" in english[name]
        }
    assert language == "en" or sum(words == english[name] for name, words in own.items()) <= 1


@pytest.mark.parametrize("kind", TO_BE_ANSWERED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_of_an_answered_letter_to_an_agent_nothing_is_left_but_the_answer(language: str, kind: Kind) -> None:
    """However the mail program quotes it."""
    written = preview(Templates(), kind, language)
    quoted = "\n".join(f"> {line}" for line in written.text.splitlines())

    for below in (written.text, quoted, f"On Tuesday, Support wrote:\n\n{quoted}"):
        read = parse(split(f"#reply\n\nTry water.\n\n{below}").reply_text)
        assert (read.says, read.text) == ("reply", "Try water.")


@pytest.mark.parametrize("kind", TO_BE_ANSWERED)
def test_a_letter_names_the_commands_where_they_are_taken_alone(kind: Kind) -> None:
    hint = words_of("en")["commands"]
    for takes in (True, False):
        values = {**SAMPLES[kind], "takes_commands": takes, "mailbox_name": "Support", "language": "en"}
        written = Templates().write(kind, "en", values)
        assert (hint in written.text, hint in written.html) == (takes, takes)


def test_a_language_that_only_an_operator_has_gets_english_words(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "acknowledgement.subject").write_text("Grazie")

    assert (
        preview(Templates(tmp_path), "assigned", "it").text.splitlines()[0] == "## Reply above this line ##"
    )


@pytest.mark.parametrize("kind", [Kind.REPLY, Kind.SLA_BREACHED])
def test_letters_that_are_a_persons_or_go_to_our_own_bear_no_such_line(kind: Kind) -> None:
    assert MARKERS["en"] not in preview(Templates(), kind, "en").text.casefold()


@pytest.mark.parametrize(("kind", "language"), [("nothing", "en"), ("reply", "tlh"), ("reply", "")])
def test_a_preview_of_what_there_is_not_is_refused(kind: str, language: str) -> None:
    with pytest.raises(Invalid, match=r"there (is|are) no"):
        preview(Templates(), kind, language)
