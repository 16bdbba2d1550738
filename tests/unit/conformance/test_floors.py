"""Floors rise and never fall; what is disputed or informative is not counted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import floors, raws, report
from tests.conformance.cases import CHECKOUT, Case, Check, corpora, mail_cases
from tests.conformance.groups import Answer
from tests.conformance.mails import Run, answers
from tests.conformance.threads import relabelled

RIGHT = Answer("crisp_reply", "crisp_reply/a", "reply_text", "equals", "x", "x", True, "reply text")
WRONG = replace(RIGHT, case="crisp_reply/b", got="y", right=False)


def test_only_what_is_counted_is_reached() -> None:
    given = [RIGHT, WRONG, replace(RIGHT, informative=True), replace(RIGHT, disputed=True)]

    assert floors.reached(given) == {"crisp_reply": {"reply_text": 1}}


def test_a_result_below_its_floor_is_told_and_one_that_was_not_asked_is_not() -> None:
    committed = {"crisp_reply": {"reply_text": 2, "signature": 5}, "zapier_reply": {"reply_text": 9}}

    assert floors.fallen(committed, {"crisp_reply": {"reply_text": 1}}, {}) == [
        "crisp_reply reply_text: 1 right, the floor is 2"
    ]
    assert floors.fallen(committed, {"crisp_reply": {"reply_text": 2}}, {}) == []


def test_a_floor_from_before_a_dispute_may_lack_what_is_disputed_and_no_more() -> None:
    committed = {"crisp_reply": {"reply_text": 3}}
    disputed = floors.excused([RIGHT, WRONG, replace(WRONG, disputed=True)])

    assert disputed == {"crisp_reply": {"reply_text": 1}}
    assert floors.fallen(committed, {"crisp_reply": {"reply_text": 2}}, disputed) == []
    assert len(floors.fallen(committed, {"crisp_reply": {"reply_text": 1}}, disputed)) == 1


def test_floors_are_raised_never_lowered_and_read_again_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "floors.toml"
    assert floors.read_floors(file) == {}

    risen = floors.raised({"a": {"x": 3, "y": 3}}, {"a": {"x": 1, "y": 4}, "b": {"z": 0}})
    floors.write_floors(risen, file)

    assert floors.read_floors(file) == {"a": {"x": 3, "y": 4}, "b": {"z": 0}}


def test_a_dispute_names_case_field_and_reason(tmp_path: Path) -> None:
    file = tmp_path / "disputed.toml"
    file.write_text('[[disputed]]\ncase = "a/1"\nfield = "x"\nreason = "because"\n')

    assert floors.read_disputed(file) == {("a/1", "x"): "because"}


def test_every_committed_dispute_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in floors.read_disputed().values())


def test_a_case_of_several_checks_is_right_when_all_are_where_cases_are_counted() -> None:
    also = replace(RIGHT, field="quotes_removed_text")

    assert report.group_rows([RIGHT, also, WRONG]) == [("reply text", 1, 2)]
    assert report.group_rows([RIGHT, replace(also, right=False)]) == [("reply text", 0, 1)]
    by_check = [replace(one, group="parse and bodies") for one in (RIGHT, also, WRONG)]
    assert report.group_rows(by_check) == [("parse and bodies", 2, 3)]


def test_the_list_of_wrong_ones_shows_where_a_text_parts_from_what_was_expected() -> None:
    same = "a" * 500
    shown = report.wrong([RIGHT, replace(WRONG, expected=same + "left", got=same + "right")])

    assert shown[0] == "crisp_reply/b reply_text equals"
    assert "left" in shown[1]
    assert "right" in shown[2]
    assert all(len(line) < 250 for line in shown)


def test_what_explain_raises_is_told_and_makes_every_check_of_the_case_wrong(tmp_path: Path) -> None:
    file = tmp_path / "a.eml"
    file.write_bytes(b"Subject: x\r\n\r\n")
    case = Case("own", "a", file, (Check("parse_ok", "equals", True), Check("subject", "equals", "x")))

    def fails(raw: bytes, name: str) -> dict[str, Any]:
        raise ValueError(f"{len(raw)} bytes of {name}")

    good, bad = Run(), Run()
    assert [one.right for one in answers([case], good)] == [True, True]
    assert [one.right for one in answers([case], bad, fails)] == [False, False]
    assert (good.mails, good.raised) == (1, {})
    assert (bad.mails, bad.raised) == (1, {"own/a": "ValueError: 14 bytes of a.eml"})


def test_a_raw_mail_comes_back_from_the_blobs_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "own" / "a.eml"
    file.parent.mkdir()
    file.write_bytes(bytes(range(256)) * 3000)

    (answer,) = raws.answers([file])

    assert (answer.case, answer.right, answer.got) == ("own/a", True, "768000 bytes")


def test_labels_are_compared_by_the_division_they_make() -> None:
    assert relabelled({"a": "T7", "b": None, "c": "T7", "d": "T2"}) == {
        "a": "T1",
        "b": None,
        "c": "T1",
        "d": "T2",
    }


def test_corpora_are_where_the_variable_says_or_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMBUD_CORPORA", str(tmp_path / "none"))
    assert corpora() is None

    (tmp_path / "mail" / "own").mkdir(parents=True)
    (tmp_path / "mail" / "own" / "1.json").write_text(
        '{"id": "1", "checks": [{"field": "subject", "op": "equals", "value": "x"}]}'
    )
    monkeypatch.setenv("OMBUD_CORPORA", str(tmp_path))
    assert corpora() == tmp_path
    (case,) = mail_cases(tmp_path)
    assert (case.name, case.mail) == ("own/1", tmp_path / "mail" / "own" / "1.eml")
    assert case.states("subject") == "x"
    assert case.states("date") is None


def test_nothing_of_the_corpora_lies_in_the_checkout() -> None:
    assert not list((CHECKOUT / "tests" / "conformance").rglob("*.eml"))
