"""Signs are found in one pass, as whole words, whatever stands around them and however long the text is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triage.ports import Question
from services.triage.rules import classify
from services.triage.signals import CATEGORIES, LEVELS, MOODS, SIGNS, Signs
from shared.domain.languages import LANGUAGES, words
from shared.domain.priority import Level, Sentiment

GROUPS = {**CATEGORIES, **LEVELS, **MOODS}
PHRASES = sorted({(sign, phrase) for sign, group in GROUPS.items() for phrase in group})
NEUTRAL = st.lists(st.sampled_from(["green", "box", "seven", "lamp", "paper"]), max_size=6).map(" ".join)


@pytest.mark.parametrize(("sign", "phrase"), PHRASES)
def test_a_phrase_that_stands_alone_gives_its_sign(sign: str, phrase: str) -> None:
    assert phrase in SIGNS.find(words(phrase))[sign]


@given(st.sampled_from(PHRASES), NEUTRAL, NEUTRAL, st.sampled_from([str, str.upper, str.title]))
def test_a_phrase_gives_its_sign_wherever_it_stands_and_however_it_is_written(
    chosen: tuple[str, str], before: str, after: str, written: type[str]
) -> None:
    sign, phrase = chosen

    assert phrase in SIGNS.find(words(f"{before} {written(phrase)}, {after}"))[sign]


@given(st.sampled_from(PHRASES), st.sampled_from(["xq", "qx"]))
def test_a_phrase_inside_another_word_gives_no_sign(chosen: tuple[str, str], more: str) -> None:
    _, phrase = chosen

    assert SIGNS.find(words(f"{more}{phrase.replace(' ', more)}{more}")) == {}


@given(NEUTRAL)
def test_words_that_nobody_listed_give_no_sign(text: str) -> None:
    assert SIGNS.find(words(text)) == {}


@given(st.lists(st.sampled_from(PHRASES), max_size=8))
def test_each_phrase_is_named_once_however_often_it_is_said(chosen: list[tuple[str, str]]) -> None:
    text = " . ".join(phrase for _, phrase in chosen)
    once, thrice = SIGNS.find(words(text)), SIGNS.find(words(" lamp ".join([text] * 3)))

    assert thrice == once
    assert all(len(phrases) == len(set(phrases)) for phrases in once.values())


def test_a_word_inside_a_longer_phrase_gives_no_sign_of_its_own() -> None:
    signs = Signs({"hot": ["urgent"], "cold": ["not urgent"]})

    assert signs.find(words("this is not urgent")) == {"cold": ["not urgent"]}
    assert signs.find(words("urgent, not urgent, urgent")) == {"hot": ["urgent"], "cold": ["not urgent"]}


def test_a_phrase_that_is_cut_off_by_the_end_gives_no_sign() -> None:
    assert Signs({"cold": ["not urgent at all"]}).find(words("not urgent")) == {}


def test_no_phrase_is_a_sign_of_two_levels_of_one_field() -> None:
    for field in ("severity", "urgency"):
        assert not set(LEVELS[f"{field} high"]) & set(LEVELS[f"{field} low"])


def test_every_level_and_mood_of_the_signals_is_one_of_the_closed_sets() -> None:
    assert {sign.split()[1] for sign in LEVELS} <= {level.value for level in Level}
    assert set(MOODS) <= {mood.value for mood in Sentiment}


def test_no_listed_word_of_a_language_is_other_than_one_plain_word() -> None:
    for common in LANGUAGES.values():
        assert all(words(word) == [word] for word in common)


@given(st.text(max_size=300))
def test_words_are_the_same_in_any_case(text: str) -> None:
    assert words(text.casefold()) == words(text)


@given(st.text(max_size=300), st.text(max_size=60))
def test_the_same_text_gets_the_same_answer(text: str, subject: str) -> None:
    assert classify(Question(subject, text)) == classify(Question(subject, text))


@pytest.mark.parametrize("hostile", ["not ", "is ", "a", "'", "as soon as ", "\u0130", "still still "])
def test_the_time_grows_with_the_length_of_a_text_alone(hostile: str) -> None:
    """Twenty times a mail's usual length takes well under a second; what grew by the square would not."""
    begun = time.process_time()
    classify(Question("", hostile * (400_000 // len(hostile))))

    assert time.process_time() - begun < 2.0
