"""The pytest plugin: state that outlives callers must not outlive tests.

It is active wherever fuseboard is installed beside pytest. A test run gets its own folder for tables, so that neither
the run nor the processes that it starts touch the host's tables; the folder is removed at the end. It also gets its own
clock, which tests can stop and move. Every test, and every example that Hypothesis tries in a test, has its own private
default store. All fuses in the shared stores that the run has open are forgotten before it. Turn the plugin off with
``-p no:fuseboard``.
"""

import contextlib
import functools
import inspect
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fuseboard import _core
from fuseboard._store import registry
from fuseboard._store.store import Store
from fuseboard.testing import Clock, private_default_store

_PREFIX = "fuseboard-pytest-"


class Run:
    """What a test run has of its own: a folder for tables, and a clock for its stores."""

    def __init__(self) -> None:
        # A run inside another one, such as a worker of pytest-xdist, has its folder inside the outer run's folder, and
        # is removed with it: pytest-xdist kills a worker that is slow to end.
        outer = os.environ.get("FUSEBOARD_DIR", "")
        is_inside = os.path.basename(outer).startswith(_PREFIX) and os.path.isdir(outer)  # noqa: PTH112, PTH119 - text
        self.folder = tempfile.mkdtemp(prefix=_PREFIX, dir=outer if is_inside else None)  # which gives it mode 0700
        self.clock = Clock._running()
        self._stops = 0

    def clock_of(self, name: str | None, where: str | None) -> _core.Clock | None:
        """The run's clock for stores that only this run has; the host's (None) for others, and a warning if need be."""
        if name is None or where == self.folder:
            return self.clock
        if self._stops:
            _warn_of(name, where)
        return None

    def shared(self) -> list[Store]:
        """The shared stores that this process has open in the folder, and those that fell back there."""
        return [store for _, where, store in _open_stores() if where == self.folder]

    @contextlib.contextmanager
    def stopped_clock(self) -> Iterator[Clock]:
        """The clock, which stands still in the block unless the test moves it."""
        for name, where, _ in _open_stores():
            if where != self.folder:
                _warn_of(name, where)
        self._stops += 1
        self.clock._stop()
        try:
            yield self.clock
        finally:
            self._stops -= 1
            self.clock._run()

    def tick(self) -> None:
        """Moves a stopped clock on by a second: states that begin at the same moment would differ by microseconds."""
        if self._stops:
            self.clock.advance(1)

    @contextlib.contextmanager
    def fresh_stores(self) -> Iterator[Store]:
        """No fuses in shared stores, and a private default store."""
        for shared in self.shared():
            shared.reset_all()
        with private_default_store() as store:
            yield store


def _open_stores() -> list[tuple[str, str | None, Store]]:
    """The shared stores that this process has open: the name, the folder if the environment names one, the store."""
    shared = list(registry.shared.items())
    return [(name, where, store) for (name, where), store in shared if isinstance(store, Store)]


def _warn_of(name: str, where: str | None) -> None:
    warnings.warn(
        f"fuseboard_clock does not move store {name!r}: its table is in {where or 'the default folder'}, where "
        "processes outside this test run may use it. Leave FUSEBOARD_DIR as the pytest plugin sets it, or open the "
        "store with Store.shared(name, clock=fuseboard_clock)",
        stacklevel=2,
    )


class Examples:
    """What Hypothesis tries in a test, each with fresh stores. Leave the block to go back to the test's."""

    def __init__(self, run: Run, store: Store) -> None:
        self._run = run
        self.store = store
        self.is_asked_for = False
        self._stack = contextlib.ExitStack()

    def begin(self) -> None:
        """Begins an example."""
        self._stack.close()
        self._run.tick()
        if self.is_asked_for:  # the test has this store in its hand
            self.store.reset_all()
        elif registry.default() is self.store:  # no fixture of the test has replaced it
            self._stack.enter_context(self._run.fresh_stores())
            return
        for shared in self._run.shared():
            shared.reset_all()

    def each(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that begins an example and calls this one: a coroutine function if this is one."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            self.begin()
            return function(*args, **kwargs)

        @functools.wraps(function)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            self.begin()
            return await function(*args, **kwargs)

        return acall if inspect.iscoroutinefunction(function) else call

    def end(self) -> None:
        """Ends the last example."""
        self._stack.close()


_RUN = pytest.StashKey[Run]()
_EXAMPLES = pytest.StashKey[Examples]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Leaves the host's tables before any conftest imports an application that has breakers."""
    _leave_the_host(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """The same where a conftest names the plugin, which is as early as it can be then."""
    if _RUN not in config.stash:
        _leave_the_host(config)


def _leave_the_host(config: pytest.Config) -> None:
    """Points this process, and those that it starts, to the run's own tables, until pytest ends."""
    run = config.stash[_RUN] = Run()
    patch = pytest.MonkeyPatch()
    patch.setenv("FUSEBOARD_DIR", run.folder)
    patch.setenv("FUSEBOARD_STORE", registry.PRIVATE)
    default, clock = registry.replace_default(None), registry.replace_clock(run.clock_of)

    def put_back() -> None:
        for store in run.shared():
            store.close()
        registry.replace_default(default)
        registry.replace_clock(clock)
        patch.undo()
        # A process that a test left behind may be making a table there. The run must not end in an error for that.
        shutil.rmtree(run.folder, ignore_errors=True)

    config.add_cleanup(put_back)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Gives each example that Hypothesis tries stores of its own: of ``@given`` and of state machines.

    A runner of tests in an event loop wraps the same function, around this or within it.
    """
    examples = item.stash.get(_EXAMPLES, None)
    test = getattr(item, "obj", None)
    handle = getattr(test, "hypothesis", None)
    inner = getattr(handle, "inner_test", None)
    machine = getattr(test, "_hypothesis_state_machine_class", None)
    with pytest.MonkeyPatch.context() as patch:
        if examples and inner is not None:
            patch.setattr(handle, "inner_test", examples.each(inner))
        if examples and machine is not None:
            patch.setattr(machine, "__init__", examples.each(machine.__init__))
        yield
    if examples:
        examples.end()


@pytest.fixture
def fuseboard_clock(request: pytest.FixtureRequest) -> Iterator[Clock]:
    """A clock to move: in a test that asks for it, all stores of this process go by it. It begins at a whole second."""
    with request.config.stash[_RUN].stopped_clock() as clock:
        yield clock


@pytest.fixture(autouse=True)
def _fuseboard_examples(request: pytest.FixtureRequest) -> Iterator[Examples]:
    run = request.config.stash[_RUN]
    with run.fresh_stores() as store:
        request.node.stash[_EXAMPLES] = examples = Examples(run, store)
        yield examples


@pytest.fixture
def fuseboard_store(_fuseboard_examples: Examples) -> Store:
    """The private default store of this test."""
    _fuseboard_examples.is_asked_for = True
    return _fuseboard_examples.store
