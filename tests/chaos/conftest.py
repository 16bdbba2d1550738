"""Servers that trials start must be there, or the trial is skipped with the reason."""

from tests.story.conftest import local_servers

__all__ = ["local_servers"]
