"""A circuit breaker whose state outlives its callers."""

from fuseboard._breaker import CircuitBreaker
from fuseboard._core import FuseSnapshot, FuseState
from fuseboard._events import Transition
from fuseboard._journal import Cause, JournalEntry
from fuseboard._permit import Permit
from fuseboard._settings import Settings
from fuseboard._state import State
from fuseboard._store import Store
from fuseboard.errors import CircuitIsolatedError, CircuitOpenError, FuseboardError, StoreOpenError

__all__ = [
    "Cause",
    "CircuitBreaker",
    "CircuitIsolatedError",
    "CircuitOpenError",
    "FuseSnapshot",
    "FuseState",
    "FuseboardError",
    "JournalEntry",
    "Permit",
    "Settings",
    "State",
    "Store",
    "StoreOpenError",
    "Transition",
]
