"""What can be raised.

::

    Exception
    └── FuseboardError
        ├── CircuitOpenError          a call was rejected: wait, or do without it
        │   └── CircuitIsolatedError  ... by a manual override
        ├── TripError                 raise it in a guarded call to open the fuse at once
        ├── StoreOpenError            a host's table cannot be opened (with ``strict=True`` or ``Store.existing``)
        ├── StoreFullError            a manual override found no room in the host's table
        └── StoreReadOnlyError        a store that is open for reading only was asked to write

Settings and names out of range raise ``ValueError`` or ``TypeError`` where they are given.

The ``args`` of each error are texts and numbers. So an error can be pickled, copied, and made again from ``args`` that
a queue kept as JSON. Its ``str()`` never raises. A class may have a second base, such as an error of an HTTP library;
the ``__init__`` of that base is not called. :meth:`CircuitBreaker.raising` makes a breaker raise such classes. A
process has each class once: a module that is reloaded or imported again keeps the first classes, so ``except`` works.
"""

from typing import Any, SupportsIndex, cast

from fuseboard import _core
from fuseboard._state import State, parse_state
from fuseboard._validation import Seconds, in_seconds, shown

__all__ = [
    "CircuitIsolatedError",
    "CircuitOpenError",
    "FuseboardError",
    "StoreFullError",
    "StoreOpenError",
    "StoreReadOnlyError",
    "TripError",
]


@_core.first
class FuseboardError(Exception):
    """The base class of this library's own errors."""

    def __str__(self) -> str:
        try:
            return self._message()
        except Exception:  # noqa: BLE001 - code that logs this error must not get another error
            return shown(self.args)

    def _message(self) -> str:
        """The message."""
        return super().__str__()

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By class, ``args`` and attributes, whatever a second base does."""
        return Exception.__reduce__(self)

    def __setstate__(self, state: Any) -> None:
        """Takes the attributes back, as any exception does."""
        Exception.__setstate__(self, state)

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """The same for every protocol."""
        return Exception.__reduce_ex__(self, protocol)


@_core.first
class CircuitOpenError(FuseboardError):
    """A call was rejected because the fuse is open, or half-open with all its probes under way (rules R05, R06).

    The guarded function was not called. Each rejection raises a new exception. It can be pickled, or made again from
    its ``args``, such as ``("payments", "open", 12.5)``.

    Attributes:
        name: the fuse.
        state: the state that rejected the call. The constructor takes a :class:`State` or its word, such as
            ``"half-open"``. It keeps any other value, and shows it in the message.
        retry_after: after how many seconds to try again, for a ``Retry-After`` header, for example. While the fuse is
            open, the rest of the open time. While half-open, a tenth of ``reset_timeout``, because nobody knows how
            long the probes take; or the rest of the first probe's lease, if that is less. While ramping, half of the
            rest of the ramp: then more than half of all calls pass. While isolated, the rest of the isolation; None if
            it has no end.
        lease_remaining: while half-open, the seconds until the first probe's lease ends. Then another call is let
            through, even if the probe hangs. None in other states.
    """

    name: str
    state: State
    retry_after: float | None
    lease_remaining: float | None

    def __init__(
        self, name: str, state: State | str, retry_after: float | None, lease_remaining: float | None = None
    ) -> None:
        # Not `super().__init__`: a second base would take these as its own arguments.
        known = state if type(state) is State else parse_state(state)
        word = state if known is None else known._value_
        if lease_remaining is None:
            Exception.__init__(self, name, word, retry_after)
        else:
            Exception.__init__(self, name, word, retry_after, lease_remaining)
        # Any other value is kept and shown as it is.
        self.state = cast("State", state) if known is None else known
        self.name = name
        self.retry_after = retry_after
        self.lease_remaining = lease_remaining

    def _message(self) -> str:
        is_known = isinstance(self.state, State)
        found = _FOUND.get(self.state, self.state.value) if is_known else _as_word(self.state)
        fuse = f"fuse {_quoted(self.name)} is {found}"
        if self.retry_after is None:
            return fuse
        latest = "" if self.lease_remaining is None else f", or in {_rounded(self.lease_remaining)} s at the latest"
        return f"{fuse}; retry in {_rounded(self.retry_after)} s{latest}"


@_core.first
class CircuitIsolatedError(CircuitOpenError):
    """A call was rejected because the fuse is isolated by a manual override (rule R12).

    ``retry_after`` is the rest of the isolation; None if it has no end.
    """


@_core.first
class TripError(FuseboardError):
    """Raise it, or a subclass, in a guarded call to open the fuse at once, whatever the counts.

    It reaches the caller like any exception. It counts as a failure even if ``failure_on`` does not name it.

    Args:
        message: the text of the error.
        retry_after: seconds or a timedelta for which the fuse is to stay open, kept between ``reset_timeout`` and
            ``max_reset_timeout``; None for as long as the settings say. The attribute of this name, and ``args``, have
            seconds.
    """

    retry_after: float | None

    def __init__(self, message: str = "", retry_after: Seconds | None = None) -> None:
        seconds = None if retry_after is None else in_seconds(retry_after)
        Exception.__init__(self, message, seconds)
        self.retry_after = seconds

    def _message(self) -> str:
        return str(self.args[0]) if self.args else ""


@_core.first
class StoreOpenError(FuseboardError):
    """A host's table could not be opened or made.

    Attributes:
        store: the store's name.
        path: the file, folder or environment variable in question; empty if there is none.
        reason: ``"name"`` (``FUSEBOARD_STORE`` is not a store's name), ``"folder"`` (the folder is not private to this
            user), ``"owner"`` (the folder belongs to another user), ``"missing"`` (there is no table, for
            :meth:`Store.existing`, which makes none), ``"foreign"`` (the file is not a sound table of this user's),
            ``"version"`` (of another layout version), ``"full"`` (no room for it), ``"system"`` (the operating system
            refused), ``"unsupported"`` (this platform has no shared tables).
        detail: what is wrong there.
        is_transient: whether the cause may pass by itself, such as a want of file descriptors, memory or room. Then a
            store that fell back to a private table goes on trying.
    """

    store: str
    path: str
    reason: str
    detail: str
    is_transient: bool
    _folder_setting: str = "FUSEBOARD_DIR"
    """What the message tells the caller to set for another folder; of a store that was opened by one, the argument."""

    def __init__(self, store: str, path: str, reason: str, detail: str, is_transient: bool = False) -> None:
        Exception.__init__(self, store, path, reason, detail, is_transient)
        self.store = store
        self.path = path
        self.reason = reason
        self.detail = detail
        self.is_transient = is_transient

    def _message(self) -> str:
        relative = self.reason == "folder" and not str(self.path).startswith("/")
        kind = "relative" if relative else self.reason
        if kind == "system":
            hidden = str(self.path).startswith("/proc/")
            kind = "shortage" if self.is_transient else "hidden" if hidden else kind
        way_out = _WAY_OUT.get(kind, "").format(folder=self._folder_setting)
        where = f"{_printable(self.path)}: " if self.path else ""
        return f"store {self.store!r} cannot be opened: {where}{self.detail}. {way_out}".rstrip()


@_core.first
class StoreFullError(FuseboardError):
    """A store's table has no room for the fuse of a manual override. Nothing was changed.

    Such a fuse lives in each process alone (rule T12), so the override would reach no other process.

    Attributes:
        store: the store's name.
        fuse: the fuse's name.
    """

    store: str
    fuse: str

    def __init__(self, store: str, fuse: str) -> None:
        Exception.__init__(self, store, fuse)
        self.store = store
        self.fuse = fuse

    def _message(self) -> str:
        return (
            f"store {_quoted(self.store)} is full and has no room for fuse {_quoted(self.fuse)}. Each process keeps "
            "this fuse in its own memory, so the override would not reach the other processes. Use a store with more "
            "fuses, remove idle fuses with store.remove(), or call the method of the breaker in the process you mean."
        )


@_core.first
class StoreReadOnlyError(FuseboardError):
    """A store that is open for reading only was asked to write, or was given to a breaker. Nothing was changed.

    Attributes:
        store: the store's name.
    """

    store: str

    def __init__(self, store: str) -> None:
        Exception.__init__(self, store)
        self.store = store

    def _message(self) -> str:
        name = _quoted(self.store)
        return (
            f"store {name} was opened for reading only. To change it, use Store.existing({name}, writable=True) or "
            f"Store.shared({name}); a breaker needs Store.shared too."
        )


def _printable(path: object) -> str:
    """A path as text for any stream: the name of a file may have bytes that are not text."""
    return str(path).encode(errors="backslashreplace").decode()


def _quoted(value: object) -> str:
    return repr(value) if isinstance(value, str) else shown(value)


def _as_word(value: object) -> str:
    return value if isinstance(value, str) else shown(value)


def _rounded(seconds: object) -> str:
    if not isinstance(seconds, int | float):
        return _as_word(seconds)
    return f"{seconds:.3g}" if seconds < _LONG else f"{seconds:,.0f}"


_LONG = 100
_FOUND = {
    State.HALF_OPEN: "half-open and waits for its probes",
    State.RAMPING: "ramping up and rejects some of the calls",
    State.ISOLATED: "isolated by a manual override",
}
_WAY_OUT = {
    "name": "Set FUSEBOARD_STORE to the name of a store.",
    "folder": "Make it a folder that belongs to this user and has mode 0700, or set {folder} to another folder.",
    "owner": "Set {folder} to a folder of this user, or run this process as the owner of the folder.",
    "missing": "Start the service that creates it, use another store name, or set {folder} to another folder.",
    "relative": "Set {folder} to an absolute path.",
    "foreign": "Remove it, use another store name, or set {folder} to another folder.",
    "version": "Use one version of fuseboard in all processes, or use another store name.",
    "full": "Free some space there, ask for fewer fuses or failures, or set {folder} to another folder.",
    "system": "Set {folder} to a folder that this user may write to.",
    "hidden": "Let this process read that path. If /proc is mounted, a {folder} in memory (tmpfs) works too.",
    "shortage": "Give the process more file descriptors or memory.",
    "unsupported": "Use Store.private(). For the default store, set FUSEBOARD_STORE=:private:.",
}
