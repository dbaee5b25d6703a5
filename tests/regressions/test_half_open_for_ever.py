"""A service that is back, and answers each call with an exception, could never close its fuse.

All there was for such an exception was ``ignore``: each probe gave its permit back and counted neither way, so the fuse
stayed half-open, and let one call through at a time, for as long as the answer was no.
"""

import concurrent.futures
import contextlib

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
from fuseboard.testing import Clock

CLIENTS, CALLS = 8, 20


def test_a_service_that_is_back_and_says_no_closes_its_fuse(store: Store, clock: Clock) -> None:
    """R07, R10: one answer closes it, whoever gets it; from then on all calls pass."""
    breaker = CircuitBreaker("search", store=store, threshold=1, reset_timeout=10, success_on=KeyError)
    breaker.permit().failure()
    clock.advance(10)

    def client() -> None:
        for _ in range(CALLS):
            with contextlib.suppress(KeyError, CircuitOpenError):
                breaker.call({}.__getitem__, "no such thing")

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(client) for _ in range(CLIENTS)]:
            done.result()
    seen = store.snapshot()["search"]
    assert State.CLOSED is breaker.state
    assert (1, 1, 0, CLIENTS * CALLS) == (seen.trips, seen.closes, seen.ignored, seen.successes + seen.rejections)
