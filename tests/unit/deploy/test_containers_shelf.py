"""What is made once is whole or not there, however many ask and whatever breaks on the way."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.shelf import shelved


def test_a_thing_is_made_once_however_many_ask_at_the_same_time(tmp_path: Path) -> None:
    made = list[Path]()

    def fill(folder: Path) -> None:
        made.append(folder)
        (folder / "content").write_text("whole")

    with ThreadPoolExecutor(8) as threads:
        folders = set(threads.map(lambda _: shelved("thing", fill, tmp_path), range(8)))

    assert len(made) == 1
    assert {folder.joinpath("content").read_text() for folder in folders} == {"whole"}


def test_one_that_was_cut_short_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        (folder / "content").write_text("ha")
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # the very fault that `fill` had
        shelved("thing", broken, tmp_path)

    folder = shelved("thing", lambda folder: (folder / "content").touch(), tmp_path)

    assert folder.joinpath("content").read_text() == ""
    assert {file.name for file in tmp_path.iterdir()} == {"thing", "thing.lock"}
