"""Tests that must not run beside one another are kept in one process by their group."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process runs all tests in turn")
@pytest.mark.xdist_group("kept-together")
def test_the_group_of_a_test_reaches_the_scheduler(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells its scheduler by the test's name, which another pytest may not let it change."""
    assert request.node.nodeid.endswith("@kept-together")
