"""The pytest plugin: state that outlives callers must not outlive tests.

It is active wherever fuseboard is installed beside pytest: every test has a private default store of its own, and
neither the test run nor the processes it starts touch the host's default store. Turn it off with ``-p no:fuseboard``.
"""

import os
from collections.abc import Iterator

import pytest

from fuseboard import _registry
from fuseboard._store import Store
from fuseboard.testing import Clock, private_default_store

_BEFORE = pytest.StashKey[str | None]()


def pytest_configure(config: pytest.Config) -> None:
    """Keeps code outside of tests, and processes that tests start, away from the host's default store."""
    config.stash[_BEFORE] = os.environ.get("FUSEBOARD_STORE")
    os.environ["FUSEBOARD_STORE"] = _registry.PRIVATE


def pytest_unconfigure(config: pytest.Config) -> None:
    """Puts the environment back."""
    before = config.stash.get(_BEFORE, None)
    if before is None:
        os.environ.pop("FUSEBOARD_STORE", None)
    else:
        os.environ["FUSEBOARD_STORE"] = before


@pytest.fixture
def fuseboard_clock() -> Clock:
    """A clock to move: the default store of a test that asks for it goes by it."""
    return Clock()


@pytest.fixture(autouse=True)
def fuseboard_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The private default store of this test."""
    wants_clock = "fuseboard_clock" in request.fixturenames
    clock = request.getfixturevalue("fuseboard_clock") if wants_clock else None
    with private_default_store(clock) as store:
        yield store
