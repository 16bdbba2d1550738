"""The trials run where they are asked for: by `make chaos`, `OMBUD_CHAOS=short` or `long`, or by their file.

They are not part of `make check` until three rounds in a row have been green (docs/reliability.md); the tests
of the judge always are. Servers that trials start must be there, or the trial is skipped with the reason.
"""

import os

from tests.story.conftest import local_servers

__all__ = ["collect_ignore_glob", "local_servers"]

# All but the judge's own tests, test_invariants.py.
collect_ignore_glob = [] if "OMBUD_CHAOS" in os.environ else ["test_[!i]*.py", "test_im*.py"]
