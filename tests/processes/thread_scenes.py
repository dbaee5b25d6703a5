"""What a process does whose threads open, close and make things at once. Each scene has its own. Free of pytest."""

import contextlib
import os
import sys
import threading
from typing import Any

from tasks import SWITCH, at_once
from workers import FUSE, LONG, Post, Rig, ServiceError, fail, open_store

from fuseboard import CircuitBreaker, Store

THREADS = 16


def open_and_close(_post: Post, name: str, times: int) -> list[int]:
    """Opens and closes one store over and over in many threads; the counts it was told meanwhile."""
    sys.setswitchinterval(SWITCH)

    def once() -> int:
        with open_store(name) as store:
            return store.record_failure(FUSE, LONG)

    return at_once(THREADS, lambda: [once() for _ in range(times)])


def open_at_once(_post: Post, kind: str, rounds: int) -> list[int]:
    """Asks for one store in many threads at once; how many different ones they got, round by round."""
    sys.setswitchinterval(SWITCH)
    os.environ["FUSEBOARD_STORE"] = ":private:"
    if kind == "fallen back":
        os.environ["FUSEBOARD_DIR"] = "/proc/nowhere"
    got = []
    for number in range(rounds):
        ask = Store.default if kind == "default" else lambda number=number: Store.shared(f"store{number}")  # type: ignore[misc]
        stores = at_once(THREADS, lambda ask=ask: [ask()])  # type: ignore[misc]
        got.append(len(set(map(id, stores))))
        Store.default().close()
    return got


def make_while_opening(_post: Post, times: int) -> list[str]:
    """Makes breakers in some threads while another makes first calls, which open the default store; what went wrong."""
    sys.setswitchinterval(SWITCH)
    os.environ["FUSEBOARD_STORE"] = ":private:"
    faults: list[str] = []
    kept = [CircuitBreaker(f"fuse{number}") for number in range(500)]
    done = threading.Event()
    makers = [threading.Thread(target=_make_breakers, args=(kept, done)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for _ in range(times):
        try:
            kept[0].call(int)
            Store.default().close()
        except RuntimeError as error:
            faults.append(repr(error))
    done.set()
    for maker in makers:
        maker.join()
    return faults + [f"{breaker.faults} faults" for breaker in kept if breaker.faults]


def _make_breakers(kept: list[CircuitBreaker], done: threading.Event) -> None:
    while not done.is_set():
        kept.append(CircuitBreaker(FUSE))
        del kept[1000:]


def old_call_in_a_stack(_post: Post, name: str, rounds: int) -> list[Any]:
    """A call entered through an ``ExitStack`` fails while a probe is under way; the states after it."""
    states = []
    for number in range(rounds):
        rig = Rig(name, f"fuse{number}", reset_timeout=0.001, probe_timeout=LONG)
        with contextlib.ExitStack() as old:
            old.enter_context(rig.breaker)
            rig.open_for_a_probe()
            rig.wait_for_probe_time()
            with rig.breaker:
                _leave(old)
                states.append(rig.state)
    return states


def _leave(stack: contextlib.ExitStack) -> None:
    with contextlib.suppress(ServiceError), stack.pop_all():
        fail()
