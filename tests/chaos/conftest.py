"""The trials' short form is part of `make test`; `make chaos` runs the long one (docs/reliability.md).

Servers that trials start must be there, or the trial is skipped with the reason.
"""

from tests.story.conftest import local_servers

__all__ = ["local_servers"]
