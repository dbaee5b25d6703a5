"""What this process has open: shared stores by name, the default store, and the breakers that follow it.

A breaker that was not given a store follows the default one. It looks it up at its first call, so that nothing is
opened at import; and when the default is replaced, as tests do, it looks it up again.
"""

import os
import weakref
from collections.abc import Callable

from fuseboard import _core

PRIVATE = ":private:"
"""The value of ``FUSEBOARD_STORE`` that asks for a private default store."""

shared: dict[tuple[str, str | None], _core.Store] = {}
"""Shared stores of this process, by name and ``FUSEBOARD_DIR``, until they are closed. Kept alive: one that fell back
to a private table would otherwise warn again, and forget, at each look-up."""

# Threads come here at once, and a lock could be left locked in a forked child; so each step is one operation of a dict.
_followers: dict[int, weakref.ref[_core.Breaker]] = {}
_default: dict[str, _core.Store] = {}
_THE_ONE = "default"

ChooseClock = Callable[[str | None, str | None], _core.Clock | None]
"""Says by which clock a store goes that was given none: of its name (None for a private one) and its folder."""
_clock: dict[str, ChooseClock] = {}


def folder() -> str | None:
    """The folder that tables are to lie in, if the environment names one."""
    return os.environ.get("FUSEBOARD_DIR") or None


def default_name() -> str:
    """The name of the default store, or :data:`PRIVATE`."""
    return os.environ.get("FUSEBOARD_STORE") or "default"


def is_named() -> bool:
    """Whether the environment names the default store."""
    return bool(os.environ.get("FUSEBOARD_STORE"))


def default() -> _core.Store | None:
    """The default store, if it is open."""
    return _default.get(_THE_ONE)


def offer_default(store: _core.Store) -> _core.Store:
    """Makes a store the default one if there is none; the one that it is then, the same for all threads."""
    return _default.setdefault(_THE_ONE, store)


def replace_default(store: _core.Store | None) -> _core.Store | None:
    """Makes a store the default one, or none: then the next use opens it. Returns the one before."""
    before = _default.pop(_THE_ONE, None)
    if store is not None:
        _default[_THE_ONE] = store
    for follower in list(_followers.values()):
        breaker = follower()
        if breaker is not None:
            breaker._link(None)  # noqa: SLF001 - breakers and their registry are one mechanism in two modules
    return before


def follow_default(breaker: _core.Breaker) -> None:
    """Makes a breaker look its store up again whenever the default one is replaced, for as long as it lives."""
    follower = weakref.ref(breaker, _forget)
    _followers[id(follower)] = follower


def _forget(follower: weakref.ref[_core.Breaker]) -> None:
    # Until now the dictionary has kept the reference, so that no other one has its id.
    _followers.pop(id(follower), None)


def clock_of(name: str | None, where: str | None) -> _core.Clock | None:
    """The clock of a store that was given none: the host's, which is None; or, in a test run, the run's."""
    choose = _clock.get(_THE_ONE)
    return choose(name, where) if choose else None


def replace_clock(choose: ChooseClock | None) -> ChooseClock | None:
    """Makes another choose the clocks of stores, or nobody: then it is the host's. Returns what chose before."""
    before = _clock.pop(_THE_ONE, None)
    if choose is not None:
        _clock[_THE_ONE] = choose
    return before
