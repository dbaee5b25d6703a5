"""What kind of function a callable is."""

import functools
import sys

import pytest

from fuseboard import _functions


class Waiter:
    """Has a coroutine function for a method."""

    async def wait(self) -> None:
        """Waits for nothing."""

    def go(self) -> None:
        """Goes."""


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (print, False),
        ([].append, False),
        (Waiter().go, False),
        (Waiter().wait, True),
        (functools.partial(print), False),
        (functools.partial(functools.partial(Waiter.wait), Waiter()), True),
        (functools.partial(Waiter().wait), True),
    ],
)
def test_common_callables_are_told_apart_without_an_import(
    monkeypatch: pytest.MonkeyPatch, function: object, expected: object
) -> None:
    """Goal 1: in a process that is out of file descriptors an import fails, and a call must not."""
    monkeypatch.setitem(sys.modules, "inspect", None)
    assert (expected, False) == (
        _functions.is_coroutine_function(function),
        _functions.is_generator_function(function),
    )
