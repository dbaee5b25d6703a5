"""Where a breaker's fuse is: which store, which slot, and when to look again."""

from collections.abc import Callable
from typing import cast

from fuseboard import _core
from fuseboard._policy.settings import Numbers
from fuseboard._store import registry
from fuseboard._store.store import Store
from fuseboard._store.table_spec import DEFAULT_FAILURES, DEFAULT_FUSES


class FuseBinding:
    """Binds a breaker to the fuse of its name, in the store that it was given, or else in the default one.

    It finds the fuse and does not keep it: the compiled part of the breaker does, so that a call costs one load. A
    breaker that follows the default store is unlinked when that is replaced (:mod:`fuseboard._store.registry`), and
    looks again at its next call.
    """

    __slots__ = ("_given", "_numbers", "name")

    def __init__(self, name: str, given: Store | None, numbers: Numbers) -> None:
        self.name = name
        self._given = given
        self._numbers = numbers

    @property
    def store(self) -> Store:
        """The store. Opens the default one if the breaker follows that; a private one if it cannot be opened."""
        return self._given or Store._default_for_a_call()

    @property
    def open_store(self) -> Store | None:
        """The store, if it is open: a default store may not be open yet."""
        return self._given or cast("Store | None", registry.default())

    @property
    def failure_capacity(self) -> int:
        """How many failures of a fuse the store counts. For a default store that is not open yet, the default."""
        store = self.open_store
        return DEFAULT_FAILURES if store is None else store.failure_capacity

    @property
    def fuse_capacity(self) -> int:
        """How many fuses the store has slots for. For a default store that is not open yet, the default."""
        store = self.open_store
        return DEFAULT_FUSES if store is None else store.fuse_capacity

    def look_around(self) -> None:
        """If the store has lost the host's table, goes back to it. Called before what must reach other processes."""
        store = self.open_store
        if store is not None:
            store._look_around(at_once=True)

    def find(self, link: Callable[[_core.Fuse], None]) -> tuple[_core.Fuse, Store]:
        """The fuse, handed to ``link`` as well, and the store it is in."""
        while True:
            store = self.store
            store._look_around(at_once=True)
            fuse = _core.Fuse(store, self.name, self._numbers)
            link(fuse)
            # A default store that was replaced just before the link would otherwise stay the breaker's.
            if self._given is not None or registry.default() is store:
                return fuse, store


def check_capacity(threshold: int, store: Store | None) -> None:
    """Checks that a store can count as many failures as a breaker's threshold.

    Raises:
        ValueError: it cannot.
    """
    # For the default store, the default: so the answer does not depend on whether it is open yet.
    capacity = DEFAULT_FAILURES if store is None else store._failures_to_be_had
    if threshold > capacity:
        raise ValueError(
            f"threshold must be at most {capacity}, the failures that the store counts, got {threshold}; "
            f"use a store that counts more, such as store=Store.shared(name, failures={threshold})"
        )
