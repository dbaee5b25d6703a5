"""Fixtures of the whole suite: a clock that tests move, and stores of both reaches that go by it.

Fuseboard's own pytest plugin is active as well: it gives each test a private default store.
"""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard import Store
from fuseboard.testing import Clock
from helpers import MakeStore, stores_let_go

pytest_plugins = ["pytester"]

_numbers = itertools.count(1)


@pytest.fixture
def clock() -> Clock:
    """The clock of the stores below. Nothing else moves it."""
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh private folder, to which ``FUSEBOARD_DIR`` points. Stores in it are let go of afterwards."""
    path = tmp_path / "fuseboard"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("FUSEBOARD_DIR", str(path))
    with stores_let_go():
        yield path


@pytest.fixture
def make_private(clock: Clock) -> MakeStore:
    """Makes private stores on the test's clock."""

    def make(*, fuses: int = 16, failures: int = 32) -> Store:
        return Store.private(fuses=fuses, failures=failures, clock=clock)

    return make


@pytest.fixture
def make_shared(clock: Clock, folder: Path) -> Iterator[MakeStore]:
    """Makes shared stores on the test's clock, each of a name of its own; their files are removed afterwards."""
    with contextlib.ExitStack() as stack:

        def make(*, fuses: int = 16, failures: int = 32) -> Store:
            name = f"test-{next(_numbers)}"
            store = Store.shared(name, fuses=fuses, failures=failures, strict=True, clock=clock)
            stack.callback(next(folder.glob(f"{name}.*")).unlink, missing_ok=True)
            return stack.enter_context(store)

        yield make


@pytest.fixture(params=["private", "shared"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """Makes stores of one reach; a test that asks for it runs once with private ones and once with shared ones."""
    make: MakeStore = request.getfixturevalue(f"make_{request.param}")
    return make


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    """A store with room for 16 fuses and 32 failures: private, then shared."""
    return make_store()
