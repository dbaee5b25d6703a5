"""The pytest plugin: state that outlives callers must not outlive tests.

It is active wherever fuseboard is installed beside pytest. The run gets a folder of its own for tables, removed at its
end, so that neither it nor the processes it starts touch the host's; every test has a private default store of its own;
and the shared stores that the run has open begin every test without fuses. Turn it off with ``-p no:fuseboard``.
"""

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from fuseboard import _registry
from fuseboard._store import Store
from fuseboard.testing import Clock, private_default_store

_FOLDER = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Leaves the host's tables before any conftest imports an application that has breakers."""
    _leave_the_host(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """The same where a conftest names the plugin, which is as early as it can be then."""
    if _FOLDER not in config.stash:
        _leave_the_host(config)


def _leave_the_host(config: pytest.Config) -> None:
    """Points this process and those it starts to tables of the run's own; undone when pytest is through."""
    folder = config.stash[_FOLDER] = tempfile.mkdtemp(prefix="fuseboard-pytest-")  # which makes it with mode 0700
    patch = pytest.MonkeyPatch()
    patch.setenv("FUSEBOARD_DIR", folder)
    patch.setenv("FUSEBOARD_STORE", _registry.PRIVATE)
    before = _registry.replace_default(None)

    def put_back() -> None:
        for store in _shared_in(folder):
            store.close()
        _registry.replace_default(before)
        patch.undo()
        # A process that a test left behind may be making a table there: no reason for a run to end in an error.
        shutil.rmtree(folder, ignore_errors=True)

    config.add_cleanup(put_back)


def _shared_in(folder: str) -> list[Store]:
    """The shared stores that this process has open in a folder, and those that fell back there."""
    shared = list(_registry.shared.items())
    return [store for (_, where), store in shared if where == folder and isinstance(store, Store)]


@pytest.fixture
def fuseboard_clock() -> Clock:
    """A clock to move: the default store of a test that asks for it goes by it."""
    return Clock()


@pytest.fixture(autouse=True)
def fuseboard_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The private default store of this test."""
    for shared in _shared_in(request.config.stash[_FOLDER]):
        shared.reset_all()
    wants_clock = "fuseboard_clock" in request.fixturenames
    clock = request.getfixturevalue("fuseboard_clock") if wants_clock else None
    with private_default_store(clock) as store:
        yield store
