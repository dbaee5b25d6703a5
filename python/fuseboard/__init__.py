"""A circuit breaker whose state outlives its callers."""

from fuseboard._breaker import CircuitBreaker
from fuseboard._core import FuseSnapshot, FuseState
from fuseboard._failure import Failure
from fuseboard._journal import Cause, Transition
from fuseboard._leader import Counts, FuseCounts, Leader
from fuseboard._outcome import Outcome
from fuseboard._permit import Permit
from fuseboard._policies import AnyOf, FailureRate, Failures, Policy, SlowRate, Tally
from fuseboard._settings import Settings
from fuseboard._state import State
from fuseboard._store import Store
from fuseboard._stream import Events
from fuseboard._subscription import Subscription
from fuseboard.errors import (
    CircuitIsolatedError,
    CircuitOpenError,
    FuseboardError,
    StoreFullError,
    StoreOpenError,
    StoreReadOnlyError,
    TripError,
)

__all__ = [
    "AnyOf",
    "Cause",
    "CircuitBreaker",
    "CircuitIsolatedError",
    "CircuitOpenError",
    "Counts",
    "Events",
    "Failure",
    "FailureRate",
    "Failures",
    "FuseCounts",
    "FuseSnapshot",
    "FuseState",
    "FuseboardError",
    "Leader",
    "Outcome",
    "Permit",
    "Policy",
    "Settings",
    "SlowRate",
    "State",
    "Store",
    "StoreFullError",
    "StoreOpenError",
    "StoreReadOnlyError",
    "Subscription",
    "Tally",
    "Transition",
    "TripError",
]
