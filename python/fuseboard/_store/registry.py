"""What this process has open: shared stores by name, the default store, and the breakers that follow it.

A breaker without a store of its own follows the default store. It looks that up at its first call, so that an import
opens nothing. It looks again when the default store is replaced, as tests do.
"""

import os
import weakref
from collections.abc import Callable

from fuseboard import _core
from fuseboard._once import lock

PRIVATE = ":private:"
"""The value of ``FUSEBOARD_STORE`` that asks for a private default store."""

shared: dict[tuple[str, str | None], _core.Store] = {}
"""Shared stores of this process, by name and ``FUSEBOARD_DIR``, until they are closed. They are kept alive: otherwise a
store that fell back to a private table would be made again at each look-up, forget its counts, and warn again."""

_followers: dict[int, weakref.ref[_core.Breaker]] = {}
_default: _core.Store | None = None

ChooseClock = Callable[[str | None, str | None], _core.Clock | None]
"""Chooses the clock of a store that was given none, by the store's name (None for a private one) and its folder."""
_choose_clock: ChooseClock | None = None


def folder() -> str | None:
    """The folder of tables, if the environment names one."""
    return os.environ.get("FUSEBOARD_DIR") or None


def default_name() -> str:
    """The name of the default store, or :data:`PRIVATE`."""
    return os.environ.get("FUSEBOARD_STORE") or "default"


def is_named() -> bool:
    """Whether the environment names the default store."""
    return bool(os.environ.get("FUSEBOARD_STORE"))


def share(key: tuple[str, str | None], store: _core.Store, instead_of: _core.Store | None) -> _core.Store:
    """Enters a shared store that was just opened. Of threads that open one at once, all get the first one's."""
    with lock():
        first = shared.get(key)
        if first is None or first is instead_of:
            shared[key] = first = store
        return first


def let_go(key: tuple[str, str | None], store: _core.Store) -> None:
    """Takes a shared store out, if it is this one."""
    with lock():
        if shared.get(key) is store:
            del shared[key]


def default() -> _core.Store | None:
    """The default store, if it is open."""
    return _default


def offer_default(store: _core.Store) -> _core.Store:
    """Makes a store the default one if there is none. Returns the default store, the same for all threads."""
    global _default  # noqa: PLW0603 - the process has one
    with lock():
        if _default is None:
            _default = store
        return _default


def replace_default(store: _core.Store | None) -> _core.Store | None:
    """Makes a store the default one, or none: then the next use opens it. Returns the one before."""
    global _default
    with lock():
        before, _default = _default, store
        followers = list(_followers.values())
    for follower in followers:
        breaker = follower()
        if breaker is not None:
            breaker._link(None)
    return before


def follow_default(breaker: _core.Breaker) -> None:
    """Makes a breaker look its store up again whenever the default one is replaced, for as long as it lives."""
    follower = weakref.ref(breaker, _forget)
    with lock():
        _followers[id(follower)] = follower


def _forget(follower: weakref.ref[_core.Breaker]) -> None:
    # The dictionary has kept the reference until now, so no other reference has its id.
    with lock():
        _followers.pop(id(follower), None)


def clock_of(name: str | None, where: str | None) -> _core.Clock | None:
    """The clock of a store that was given none: the host's, which is None; or, in a test run, the run's."""
    return _choose_clock(name, where) if _choose_clock else None


def replace_clock(choose: ChooseClock | None) -> ChooseClock | None:
    """Sets what chooses the clocks of stores; None for the host's clock. Returns what was set before."""
    global _choose_clock
    before, _choose_clock = _choose_clock, choose
    return before
