"""`make mutate`: damages the product on purpose and shows that the suite turns red. Works on a copy.

Each damage takes away one of the few lines that the promise rests on. First the tests that are to notice it
run on the undamaged copy, where they must pass; then once for each damage, where they must fail. A damage
whose lines are no longer in their file is an error too: the list has to follow the code.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COPIED = ("services", "shared", "deploy", "tests", "pyproject.toml", "README.md", ".servers")
"""What the tests read; the environment stays the checkout's."""
TIMEOUT = 600.0
"""Seconds for one run of tests; one that takes longer has shown nothing."""


@dataclass(frozen=True)
class Damage:
    """In `file`, `before` becomes `after`; `tests` are to notice it."""

    name: str
    file: str
    before: str
    after: str
    tests: Sequence[str]


DAMAGES = (
    Damage(
        "the version check of MongoDB's replace is gone",
        "shared/adapters/mongo_collection.py",
        '{"_id": doc_id, "version": if_version}',
        '{"_id": doc_id}',
        ["tests/contract/test_documents.py"],
    ),
    Damage(
        "the version check of SQLite's replace is gone",
        "shared/adapters/sqlite_collection.py",
        " AND {name}.version = new.column7",
        "",
        ["tests/contract/test_documents.py"],
    ),
    Damage(
        "one offset too far is committed",
        "shared/runtime/window.py",
        "return next(iter(self._open), self._last + 1)",
        "return next(iter(self._open), self._last) + 1",
        ["tests/unit/runtime/test_window.py", "tests/unit/runtime/test_consumer_commits.py"],
    ),
    Damage(
        "the ledger's id is another one each time",
        "shared/domain/ledger.py",
        "named = (mailbox, str(uidvalidity), str(uid))",
        'named = (mailbox, str(uidvalidity), str(uid), __import__("uuid").uuid4().hex)',
        ["tests/unit/ingest/test_intake_once.py", "tests/unit/ingest/test_handlers.py"],
    ),
    Damage(
        "mail is deleted on its server before the ledger has it",
        "services/ingest/clearing.py",
        "kept = [uid for uid in uids if uid in known and known[uid].kept]",
        "kept = list(uids)",
        ["tests/unit/ingest/test_clearing.py"],
    ),
    Damage(
        "the cursor moves before the bus has the mails",
        "services/ingest/reading.py",
        "        await publish(self._platform, mails)\n        await reach(Site.INGEST_PUBLISHED)\n"
        "        await cursor.move(batch[-1].uid, len(batch), self._platform.clock.now())\n",
        "        await cursor.move(batch[-1].uid, len(batch), self._platform.clock.now())\n"
        "        await publish(self._platform, mails)\n        await reach(Site.INGEST_PUBLISHED)\n",
        ["tests/chaos/test_failpoints.py", "tests/unit/ingest/test_collect_faults.py"],
    ),
    Damage(
        "a letter is sent before it is saved as being sent",
        "services/notify/smtp_mailer.py",
        "if not await gate():",
        "if False and not await gate():",
        ["tests/unit/notify/test_smtp_content.py", "tests/unit/notify/test_delivery_once.py"],
    ),
    Damage(
        "what a crash left in an outbox is never swept",
        "shared/runtime/outbox.py",
        "                left = await collection.unpublished(",
        "                left = [] and await collection.unpublished(",
        ["tests/unit/runtime/test_outbox.py"],
    ),
)


def copied(folder: Path) -> Path:
    """The tree, without what is made from it."""
    for name in COPIED:
        source, target = CHECKOUT / name, folder / name
        if name == ".servers" and source.exists():
            target.symlink_to(source)
        elif source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target)
    return folder


def damaged(folder: Path, damage: Damage) -> None:
    """Do the damage. Raises `SystemExit` when its lines are not there exactly once."""
    file = folder / damage.file
    text = file.read_text()
    if text.count(damage.before) != 1:
        sys.exit(
            f"mutate: {damage.file} has no longer the lines of {damage.name!r}: bring the list up to date"
        )
    file.write_text(text.replace(damage.before, damage.after))


def red(folder: Path, tests: Sequence[str]) -> tuple[bool, str]:
    """Whether the tests failed, and the first that did. Raises `SystemExit` when they came to no end."""
    command = [sys.executable, "-m", "pytest", "-x", "--no-header", "-p", "no:cacheprovider", *tests]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            said, _ = running.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGINT)
            running.communicate()  # it stops the servers that it started
            sys.exit(f"mutate: the tests had not ended after {TIMEOUT:g} s: {' '.join(tests)}")
    if running.returncode not in (0, 1):
        sys.exit(f"mutate: the tests could not be run:\n{said[-4000:]}")
    failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return running.returncode == 1, failed[0].split(" - ")[0] if failed else ""


def main() -> int:
    """Run all, or those whose name holds the argument; the exit status is 1 when a damage went unnoticed."""
    parser = argparse.ArgumentParser(prog="mutate")
    parser.add_argument("only", nargs="?", default="")
    chosen = [damage for damage in DAMAGES if parser.parse_args().only in damage.name]
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="ombud-mutate-") as whole:
        tests = sorted({test for damage in chosen for test in damage.tests})
        failed, which = red(copied(Path(whole)), tests)
        if failed:
            sys.exit(f"mutate: the tests fail on the undamaged tree already: {which}")
        print(f"{len(tests)} files of tests pass on the undamaged tree", flush=True)
    for damage in chosen:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ombud-mutate-") as folder:
            damaged(copied(Path(folder)), damage)
            noticed, which = red(Path(folder), damage.tests)
        unnoticed += not noticed
        print(
            f"{'noticed' if noticed else 'NOT NOTICED':<12} {damage.name}: {which} "
            f"({time.monotonic() - started:.0f} s)",
            flush=True,
        )
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
