"""Servers that stories start themselves must be there, or the story is skipped with the reason."""

import shutil

import pytest

from services.sandbox.dovecot import Dovecot
from tests.conftest import missing


@pytest.fixture
def local_servers() -> None:
    """Dovecot, and Java with Maven for Kafka; MongoDB comes with the development packages."""
    if not Dovecot.available():
        missing("dovecot", "dovecot is not installed")
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            missing("kafka", f"{program} is not installed")
