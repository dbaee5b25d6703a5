"""What a store logs once of its table: that it is not the host's, too small, removed, full."""

import logging

from fuseboard import _core
from fuseboard._events.log import logger
from fuseboard._once import Once, lock
from fuseboard.errors import StoreOpenError

_TRIES_AGAIN = "This process uses a private table for now and keeps trying."
_UNTIL_RESTARTED = "This process uses a private table until it is restarted."
_SHOWN_USERS = 5
_MOST_PAIRS = 256
"""A program that makes settings up at each call must not fill the log."""


class Notices:
    """What one store logs. What is wrong with its table is said once, and again after it was on another one."""

    __slots__ = ("_is_fault_logged", "_is_small_logged", "pairs")

    def __init__(self) -> None:
        self._is_fault_logged = False
        self._is_small_logged = False
        self.pairs = Once(_MOST_PAIRS)
        """What was said of two breakers that come to one fuse of the store and are not alike."""

    def fault(self, fault: StoreOpenError) -> None:
        """The host's table cannot be had, and the store is on one of this process's own."""
        with lock():
            is_first, self._is_fault_logged = not self._is_fault_logged, True
        if is_first:
            logger.warning("%s %s", fault, _TRIES_AGAIN if fault.is_transient else _UNTIL_RESTARTED)

    def another_fault(self, fault: StoreOpenError) -> None:
        """The host's table still cannot be had, for another reason now."""
        logger.warning("%s %s", fault, _TRIES_AGAIN)

    def removed(self, path: object, fault: StoreOpenError) -> None:
        """The table's file was removed, and there is no other one."""
        logger.warning(
            "the table %s was removed, and no other table can be opened: %s Until one can be opened, this process and "
            "all others that have the removed table open keep using it.",
            path, fault,
        )  # fmt: skip

    def went_over(self, store: str | None, path: object, *, was_private: bool) -> None:
        """The store is on the host's table again, or on another one of the host's."""
        if was_private:
            what = "is shared again: this process now uses the host's table %s"
        else:
            what = "lost its table, because the file was removed: this process now uses the new table %s"
        level = logging.INFO if was_private else logging.WARNING
        logger.log(level, f"store %r {what}. Earlier counts were not copied.", store, path)
        self._is_fault_logged = False

    def former_users(self, store: str | None, path: object, users: list[int]) -> None:
        """The table was made anew while other processes went on with the removed one."""
        if not users:
            return
        shown_ones = ", ".join(map(str, users[:_SHOWN_USERS])) + (", ..." if len(users) > _SHOWN_USERS else "")
        logger.warning(
            "store %r: its table was removed while other processes of this user were using it (%s), and the new table "
            "%s was created. Those processes keep using the old table, at most until their next failed or rejected "
            "call. Until then they do not see what happens here; restart them if that is urgent.",
            store, shown_ones, path,
        )  # fmt: skip

    def too_small(self, store: _core.Store, name: str | None, fuses: int, failures: int) -> None:
        """The table is smaller than somebody asked for."""
        with lock():
            is_first, self._is_small_logged = not self._is_small_logged, True
        if is_first:
            logger.warning(
                "store %r was created for %d fuses and %d failures; this process asked for %d and %d. "
                "A table is never resized. For a larger table, use another store name.",
                name, store.fuse_capacity, store.failure_capacity, fuses, failures,
            )  # fmt: skip

    def full(self, called: str, fuses: int, fuse: str) -> None:
        """A fuse found no room in the table. The compiled part says so once a table."""
        logger.warning(
            "%s is full (%d fuses). Fuse %r, and any other that finds no room, is kept in this process only. "
            "Use a store with more fuses, or use fewer names.",
            called, fuses, fuse,
        )  # fmt: skip
