"""What can be raised.

::

    Exception
    └── FuseboardError
        ├── CircuitOpenError          a call was rejected: wait, or do without it
        │   └── CircuitIsolatedError  ... by an operator's word: waiting will not help
        ├── TripError                 raise it in a guarded call to open the fuse at once
        └── StoreOpenError            a host's table cannot be had (only with ``strict=True``)

Settings and names out of range raise ``ValueError`` or ``TypeError`` where they are given.
"""

from fuseboard._checks import Seconds
from fuseboard._state import State

__all__ = ["CircuitIsolatedError", "CircuitOpenError", "FuseboardError", "StoreOpenError", "TripError"]


class FuseboardError(Exception):
    """Anything that this library raises of its own."""


class CircuitOpenError(FuseboardError):
    """A call was rejected because the fuse is open, or half-open with all its probes under way (rules R05, R06).

    The guarded function was not called. Each rejection raises an exception of its own. Pickles.

    Attributes:
        name: the fuse.
        state: the state that rejected the call.
        retry_after: seconds until a call may be admitted; at most this long, for a half-open fuse. While ramping, what
            is left of the ramp: then all calls pass, and until then a growing share of them, so that the very next one
            may. None if that is up to an operator.
    """

    name: str
    state: State
    retry_after: float | None

    def __init__(self, name: str, state: State, retry_after: float | None) -> None:
        super().__init__(name, state, retry_after)
        self.name = name
        self.state = state
        self.retry_after = retry_after

    def __str__(self) -> str:
        found = _FOUND.get(self.state, self.state.value)
        if self.retry_after is None:
            return f"circuit {self.name!r} is {found}"
        latest = " at the latest" if self.state in _FOUND else ""
        return f"circuit {self.name!r} is {found}; retry in {_rounded(self.retry_after)} s{latest}"


class CircuitIsolatedError(CircuitOpenError):
    """A call was rejected because an operator isolated the fuse (rule R12). ``retry_after`` is None."""


class TripError(FuseboardError):
    """Raise it, or a subclass, in a guarded call to open the fuse at once, whatever the counts.

    It goes on to the caller as any exception does. It counts as a failure even where ``failure_on`` does not name it.

    Args:
        message: what people are told.
        retry_after: seconds or a timedelta for which the fuse is to stay open, kept between ``reset_timeout`` and
            ``max_reset_timeout``; None for as long as the settings say.
    """

    retry_after: Seconds | None

    def __init__(self, message: str = "", retry_after: Seconds | None = None) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


class StoreOpenError(FuseboardError):
    """A host's table could not be opened or made.

    Attributes:
        store: the store's name.
        path: the file, folder or environment variable in question.
        reason: ``"name"`` (``FUSEBOARD_STORE`` is not a store's name), ``"place"`` (the folder is not private to this
            user), ``"foreign"`` (the file is not a sound table of this user's), ``"version"`` (of another layout
            version), ``"full"`` (no room for it), ``"system"`` (the operating system refused),
            ``"unsupported"`` (this platform has no shared tables).
        detail: what was found there.
    """

    store: str
    path: str
    reason: str
    detail: str

    def __init__(self, store: str, path: str, reason: str, detail: str) -> None:
        super().__init__(store, path, reason, detail)
        self.store = store
        self.path = path
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        relative = self.reason == "place" and not self.path.startswith("/")
        way_out = _WAY_OUT.get("relative" if relative else self.reason, "")
        return f"store {self.store!r} cannot be shared: {self.path}: {self.detail}. {way_out}".rstrip()


def _rounded(seconds: float) -> str:
    return f"{seconds:.3g}" if seconds < _LONG else f"{seconds:,.0f}"


_LONG = 100
_FOUND = {
    State.HALF_OPEN: "half-open and its probes are under way",
    State.RAMPING: "ramping up and lets a share of the calls through",
}
_WAY_OUT = {
    "name": "Set FUSEBOARD_STORE to a store's name.",
    "place": "Make it a folder of this user's with mode 0700, or set FUSEBOARD_DIR to one.",
    "relative": "Set FUSEBOARD_DIR to an absolute path.",
    "foreign": "Remove it, or choose another store name or FUSEBOARD_DIR.",
    "version": "Let all processes use one version of fuseboard, or choose another store name.",
    "full": "Free some space there, ask for fewer fuses or failures, or set FUSEBOARD_DIR to another folder.",
    "system": "Set FUSEBOARD_DIR to a folder that this user may write to.",
    "unsupported": "Use Store.private() on this platform.",
}
