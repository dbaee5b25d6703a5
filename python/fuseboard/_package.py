"""The functions and classes of the package that the compiled part calls, handed in when ``fuseboard`` is imported.

The compiled part imports nothing. ``_core.Package`` says what it needs, and mypy compares that with the class below.
"""

from typing import Any

from fuseboard import _core, _functions
from fuseboard._breaker import fallbacks
from fuseboard._breaker.breaker import CircuitBreaker
from fuseboard._breaker.classify import Verdict
from fuseboard._events.transition import Made
from fuseboard._state import State
from fuseboard._store.store import Store
from fuseboard._validation import exact, shown
from fuseboard.errors import CircuitIsolatedError, CircuitOpenError, StoreOpenError, StoreReadOnlyError


class _Package:
    states = tuple(sorted(State, key=lambda state: state.code))
    open_error = CircuitOpenError
    isolated_error = CircuitIsolatedError
    store_open_error = StoreOpenError
    shown = staticmethod(shown)
    has_begun = staticmethod(_functions.has_begun)
    # The function itself, not a method that calls it: a method's frame would keep the rejection alive, and the
    # rejection's traceback would keep the frame.
    fall_back = staticmethod(fallbacks.call)

    def store_read_only_error(self, store: Store) -> StoreReadOnlyError:
        return StoreReadOnlyError(str(store.name))

    def resolve(self, breaker: CircuitBreaker) -> _core.Fuse:
        return breaker._resolve()

    def look(self, breaker: CircuitBreaker) -> _core.Fuse:
        return breaker._look()

    def judge(self, breaker: CircuitBreaker, error: BaseException) -> Verdict:
        return breaker._judge(error)

    def judge_result(self, breaker: CircuitBreaker, result: object) -> Verdict:
        return breaker._judge_result(result)

    def follow(self, breaker: CircuitBreaker, begun: Any, permit: _core.Permit) -> Any:
        return breaker._follow(begun, permit)

    def transitioned(self, breaker: CircuitBreaker, made: Made) -> None:
        breaker._transitioned(made)

    def block_lost(self, breaker: CircuitBreaker) -> None:
        breaker._notices.lost_block(breaker.name)

    def report(self, breaker: CircuitBreaker, fault: BaseException) -> None:
        breaker._report(fault)

    def search(self, store: Store) -> None:
        store._search()

    def look_around(self, store: Store) -> None:
        store._look_around()

    def is_full(self, store: Store, fuse: str) -> None:
        store._notices.full(store._called, store.fuse_capacity, exact(fuse))


# Before anybody can fork in the middle of it.
_core.install(_Package())
