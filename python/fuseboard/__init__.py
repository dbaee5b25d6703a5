"""A circuit breaker whose state outlives its callers."""

from fuseboard._breaker import CircuitBreaker
from fuseboard._core import FuseSnapshot, FuseState
from fuseboard._events import Transition
from fuseboard._journal import Cause, JournalEntry
from fuseboard._permit import Permit
from fuseboard._policies import AnyOf, FailureRate, Failures, Policy, SlowRate, Tally
from fuseboard._settings import Settings
from fuseboard._state import State
from fuseboard._store import Store
from fuseboard.errors import CircuitIsolatedError, CircuitOpenError, FuseboardError, StoreOpenError, TripError

__all__ = [
    "AnyOf",
    "Cause",
    "CircuitBreaker",
    "CircuitIsolatedError",
    "CircuitOpenError",
    "FailureRate",
    "Failures",
    "FuseSnapshot",
    "FuseState",
    "FuseboardError",
    "JournalEntry",
    "Permit",
    "Policy",
    "Settings",
    "SlowRate",
    "State",
    "Store",
    "StoreOpenError",
    "Tally",
    "Transition",
    "TripError",
]
