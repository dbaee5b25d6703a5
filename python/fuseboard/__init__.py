"""A circuit breaker that all processes of a host share. Its state stays when they end."""

from fuseboard import _package  # noqa: F401 - hands in what the compiled part calls
from fuseboard._breaker.breaker import CircuitBreaker
from fuseboard._breaker.classify import Outcome
from fuseboard._breaker.failure import Failure
from fuseboard._breaker.permit import Permit
from fuseboard._core import FuseSnapshot, FuseState
from fuseboard._events.stream import Events
from fuseboard._events.subscription import Subscription
from fuseboard._events.transition import Cause, Transition
from fuseboard._policy.policies import AnyOf, FailureRate, Failures, Policy, RateCount, SlowRate
from fuseboard._policy.settings import Settings
from fuseboard._state import State
from fuseboard._store.leader import Counts, FuseCounts, Leader
from fuseboard._store.store import Store
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
    "RateCount",
    "Settings",
    "SlowRate",
    "State",
    "Store",
    "StoreFullError",
    "StoreOpenError",
    "StoreReadOnlyError",
    "Subscription",
    "Transition",
    "TripError",
]
