"""A mail that was put somewhere is whole, durable and overwrites nothing."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.sandbox.maildrop import deliver, letters, make_maildir, post, post_all

RAW = b"Subject: hello\r\n\r\n\xff\x00 bytes as they came\n"


def test_a_delivered_mail_lies_in_new_with_its_very_bytes(tmp_path: Path) -> None:
    file = deliver(tmp_path / "box", RAW)

    assert file.parent == tmp_path / "box" / "new"
    assert file.read_bytes() == RAW


def test_a_delivery_leaves_nothing_in_tmp(tmp_path: Path) -> None:
    """A reader of the Maildir takes what lies there for a delivery that broke off."""
    deliver(tmp_path, RAW)

    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_maildir_has_the_three_folders_and_making_it_twice_keeps_its_mails(tmp_path: Path) -> None:
    file = deliver(make_maildir(tmp_path / "box"), RAW)
    make_maildir(tmp_path / "box")

    assert {folder.name for folder in (tmp_path / "box").iterdir()} == {"tmp", "new", "cur"}
    assert file.exists()


def test_names_in_a_maildir_have_the_form_that_mail_servers_expect(tmp_path: Path) -> None:
    """No colon and no slash: a colon begins the flags."""
    assert re.fullmatch(r"\d+\.M\d{6}P\d+Q\d+\.[^/:]+", deliver(tmp_path, RAW).name)


def test_the_same_mail_delivered_by_many_threads_is_there_as_often(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        files = set(threads.map(lambda _: deliver(tmp_path, RAW), range(64)))

    assert len(files) == len(list((tmp_path / "new").iterdir())) == 64


def test_letters_sort_in_the_order_in_which_they_were_posted(tmp_path: Path) -> None:
    posted = [post(tmp_path / "outbox", b"letter %d" % number) for number in range(20)]

    assert letters(tmp_path / "outbox") == posted


def test_letters_posted_together_are_a_file_each_in_their_order(tmp_path: Path) -> None:
    posted = post_all(tmp_path / "outbox", [b"one", b"two", b"two"])

    assert letters(tmp_path / "outbox") == posted
    assert [file.read_bytes() for file in letters(tmp_path / "outbox")] == [b"one", b"two", b"two"]


def test_letters_posted_together_to_where_no_folder_can_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(NotADirectoryError):
        post_all(tmp_path / "file" / "outbox", [b"one", b"two"])


def test_two_equal_letters_are_two_files(tmp_path: Path) -> None:
    """A letter that is sent twice must be seen twice, or no test could tell."""
    assert post(tmp_path, RAW) != post(tmp_path, RAW)
    assert len(letters(tmp_path)) == 2


def test_an_outbox_that_nobody_wrote_to_holds_no_letters(tmp_path: Path) -> None:
    assert letters(tmp_path / "none") == []


def test_when_a_mail_cannot_be_stored_nothing_of_it_is_seen(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "new").write_text("a file where the folder should be")

    with pytest.raises(OSError, match="new"):
        deliver(tmp_path / "box", RAW)
    assert list((tmp_path / "box" / "tmp").iterdir()) == []
