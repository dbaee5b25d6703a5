"""The contract on many threads at once: ``FUSEBOARD_TEST_THREADS=8`` runs each of these tests in eight.

Each thread has fixtures of its own, so a test says the same in all of them; what they share is the process: the
compiled module, its registry, the environment, one folder of tables. Tests that read the process's log, or are marked
as of the process (they patch a module, swap the default store, ask how much memory it has), run as ever.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from crowd import THREADS, at_once, switching_often

OF_THE_PROCESS = {"caplog"}
"""Fixtures that all threads would see the same."""
FROM_PYTEST = "folder"
"""The fixture that sets up the process; made once, on the main thread."""

_alone: list[str] = []


class Fixtures:
    """One thread's fixtures for one test, made by the suite's own fixture functions. Not thread-safe."""

    def __init__(self, item: pytest.Function, stack: contextlib.ExitStack) -> None:
        self.item = item
        self.stack = stack
        callspec = getattr(item, "callspec", None)
        self.values: dict[str, Any] = dict(callspec.params) if callspec else {}
        self.params = {name: self.values.pop(name) for name in list(self.values) if name in self._definitions}
        self.values[FROM_PYTEST] = item._request.getfixturevalue(FROM_PYTEST)

    @property
    def _definitions(self) -> dict[str, Any]:
        return self.item._fixtureinfo.name2fixturedefs

    def getfixturevalue(self, name: str) -> Any:
        """The value of a fixture, as ``request.getfixturevalue`` tells it."""
        if name not in self.values:
            definition = self._definitions.get(name) or self._lookup(name)
            arguments = {argument: self._argument(argument, name) for argument in definition[-1].argnames}
            value = definition[-1].func(**arguments)
            if isinstance(value, Iterator):
                value = self.stack.enter_context(contextlib.contextmanager(lambda: value)())
            self.values[name] = value
        return self.values[name]

    def _lookup(self, name: str) -> Any:
        return self.item.session._fixturemanager.getfixturedefs(name, self.item)

    def _argument(self, argument: str, fixture: str) -> Any:
        if argument != "request":
            return self.getfixturevalue(argument)
        self.param = self.params.get(fixture)
        return self


def _run(item: pytest.Function) -> None:
    with contextlib.ExitStack() as stack:
        fixtures = Fixtures(item, stack)
        names = item._fixtureinfo.argnames
        item.obj(**{name: fixtures.getfixturevalue(name) for name in names})


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test in many threads at once instead of in one."""
    if THREADS == 1:
        return None
    if OF_THE_PROCESS & set(pyfuncitem.fixturenames) or pyfuncitem.get_closest_marker("of_the_process"):
        _alone.append(pyfuncitem.nodeid)
        return None
    pyfuncitem._request.getfixturevalue(FROM_PYTEST)
    with switching_often():
        at_once(THREADS, lambda: _run(pyfuncitem))
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many threads there were, and which tests ran in one."""
    if THREADS > 1:
        terminalreporter.section("threads")
        terminalreporter.line(f"each test of the contract ran in {THREADS} threads at once, but for:")
        for nodeid in _alone:
            terminalreporter.line(f"  {nodeid}")
