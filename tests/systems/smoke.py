"""What the package does on a system at least: `python smoke.py shared`, or `private` where processes share no tables.

Plain Python that needs no test runner, so that it runs in an emulator and beside an interpreter that has nothing else.
`tools/platforms.py` runs it. It prints what it saw, and fails with the first promise that does not hold.
"""

import asyncio
import logging
import platform
import subprocess
import sys
from collections.abc import Callable

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store, StoreOpenError

NAME = "smoke"


def fail() -> None:
    """Fails."""
    raise OSError("down")


def is_rejected(breaker: CircuitBreaker) -> bool:
    """Whether a call is rejected."""
    try:
        breaker.call(int)
    except CircuitOpenError:
        return True
    return False


def fails(breaker: CircuitBreaker, times: int) -> None:
    """Lets calls fail."""
    for _ in range(times):
        try:
            breaker.call(fail)
        except OSError:
            continue


def one_process_guards(store: Store) -> None:
    """Counts failures, opens, rejects, and closes by hand, in functions, blocks and coroutines."""
    breaker = CircuitBreaker("one", store=store, threshold=3)
    guarded = breaker(len)
    assert guarded("four") == 4
    fails(breaker, 2)
    assert breaker.state is State.CLOSED
    fails(breaker, 1)
    assert breaker.state is State.OPEN
    assert is_rejected(breaker)
    breaker.reset()
    with breaker:
        pass

    @breaker
    async def answer() -> int:
        return 42

    assert asyncio.run(answer()) == 42
    assert store.snapshot()["one"].state is State.CLOSED


def two_processes_share() -> None:
    """Failures of another process count here, and its opening rejects calls here."""
    breaker = CircuitBreaker("both", store=Store.shared(NAME, strict=True), threshold=4, window=None)
    fails(breaker, 2)
    subprocess.run([sys.executable, __file__, "other"], check=True, timeout=120)  # noqa: S603 - ours
    assert breaker.state is State.OPEN
    assert is_rejected(breaker)


def refusal(wanted: Callable[[], Store]) -> StoreOpenError:
    """The error of a store that cannot be opened."""
    try:
        wanted()
    except StoreOpenError as error:
        return error
    raise AssertionError("a store was opened")


def no_table_is_shared() -> None:
    """Where there are none: an error that names the way out, or one line in the log and a private table."""
    for wanted in (lambda: Store.shared(NAME, strict=True), lambda: Store.existing(NAME)):
        seen = refusal(wanted)
        assert seen.reason == "unsupported", seen
        assert "Store.private()" in str(seen), seen
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("fuseboard").addHandler(handler)
    store = Store.shared(NAME)
    one_process_guards(store)
    assert not store.is_shared
    assert len(Store.shared(NAME, fuses=1024).snapshot()) == 1
    assert len([line for line in logged if "unsupported" in line or "this build" in line]) == 1, logged
    print(seen)  # noqa: T201 - this is a program


def main(role: str) -> None:
    """Plays a role."""
    if role == "other":
        fails(CircuitBreaker("both", store=Store.shared(NAME, strict=True), threshold=4, window=None), 2)
        return
    one_process_guards(Store.private())
    if role == "shared":
        one_process_guards(Store.shared(NAME, strict=True))
        two_processes_share()
    else:
        no_table_is_shared()
    print(f"{role}: all promises held on {platform.machine()}, Python {platform.python_version()}")  # noqa: T201 - as above


if __name__ == "__main__":
    main(sys.argv[1])
