"""What a store logs once of its table: that it is not the host's, too small, removed, full."""

import logging

from fuseboard import _core
from fuseboard._events.log import logger
from fuseboard._once import Once
from fuseboard.errors import StoreOpenError

_TRIES_AGAIN = "This process uses a table of its own meanwhile, and tries again by itself."
_UNTIL_RESTARTED = "This process uses a table of its own until it is restarted."
_SHOWN_USERS = 5
_MOST_PAIRS = 256
"""A program that makes settings up at each call must not fill the log."""


class Notices:
    """What one store logs. What is wrong with its table is said once, and again after it was on another one."""

    __slots__ = ("_is_fault_told", "_is_small_told", "pairs")

    def __init__(self) -> None:
        self._is_fault_told = False
        self._is_small_told = False
        self.pairs = Once(_MOST_PAIRS)
        """What was said of two breakers that come to one fuse of the store and are not alike."""

    def fault(self, fault: StoreOpenError) -> None:
        """The host's table cannot be had, and the store is on one of this process's own."""
        if not self._is_fault_told:
            self._is_fault_told = True
            logger.warning("%s %s", fault, _TRIES_AGAIN if fault.is_transient else _UNTIL_RESTARTED)

    def another_fault(self, fault: StoreOpenError) -> None:
        """The host's table still cannot be had, for another reason now."""
        logger.warning("%s %s", fault, _TRIES_AGAIN)

    def removed(self, path: object, fault: StoreOpenError) -> None:
        """The table's file was removed, and there is no other one."""
        logger.warning(
            "the table %s was removed, and another one cannot be had: %s Processes that have it open go on with it, "
            "this one too, until there is another one.",
            path, fault,
        )  # fmt: skip

    def went_over(self, store: str | None, path: object, *, was_private: bool) -> None:
        """The store is on the host's table again, or on another one of the host's."""
        if was_private:
            what = "is shared again: this process goes on with the host's table %s"
        else:
            what = "has lost its table, whose file was removed: this process goes on with the one that is at %s now"
        level = logging.INFO if was_private else logging.WARNING
        logger.log(level, f"store %r {what}. What was counted so far stays behind.", store, path)
        self._is_fault_told = False

    def former_users(self, store: str | None, path: object, users: list[int]) -> None:
        """The table was made anew while other processes went on with the removed one."""
        if not users:
            return
        shown_ones = ", ".join(map(str, users[:_SHOWN_USERS])) + (", ..." if len(users) > _SHOWN_USERS else "")
        logger.warning(
            "store %r: the table was removed while other processes of this user used it (%s), so %s was made anew. "
            "They go on with the old one until they notice: at their next failed or rejected call at the latest. Until "
            "then nothing that is said here reaches them; restart them if that is urgent.",
            store, shown_ones, path,
        )  # fmt: skip

    def too_small(self, store: _core.Store, name: str | None, fuses: int, failures: int) -> None:
        """The table is smaller than somebody asked for."""
        if not self._is_small_told:
            self._is_small_told = True
            logger.warning(
                "store %r was made for %d fuses and %d failures; this process asked for %d and %d. "
                "A table is never resized; choose another name for a larger one.",
                name, store.fuse_capacity, store.failure_capacity, fuses, failures,
            )  # fmt: skip

    def full(self, called: str, fuses: int, fuse: str) -> None:
        """A fuse found no room in the table. The compiled part says so once a table."""
        logger.warning(
            "%s is full (%d fuses): fuse %r and others that find no room live in this process alone. "
            "Use a store with more fuses, or fewer names.",
            called, fuses, fuse,
        )  # fmt: skip
