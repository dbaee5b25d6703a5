"""Many threads that begin at once and do the same."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

THREADS = int(os.environ.get("FUSEBOARD_TEST_THREADS", "1"))
"""How many threads run each test of the contract at once."""


def at_once(threads: int, work: Callable[[], object]) -> None:
    """Runs ``work`` in threads that begin at once, to their end; raises what any of them raised, together."""
    start = threading.Barrier(threads)
    raised: list[BaseException] = []

    def run() -> None:
        start.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - pytest's own failures are no Exceptions
            raised.append(error)

    crowd = [threading.Thread(target=run) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    if raised:
        raise BaseExceptionGroup(f"{len(raised)} of {threads} threads", raised)


@contextlib.contextmanager
def switching_often() -> Iterator[None]:
    """Inside, a thread keeps the interpreter for as short as it goes, so that threads meet everywhere."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
