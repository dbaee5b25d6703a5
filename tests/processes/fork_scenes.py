"""What a process does that forks. Each scene runs in a process of its own and returns what it saw. Free of pytest."""

import concurrent.futures
import functools
import os
import pickle
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers import FUSE, LONG, PATIENCE, Post, ServiceError, attempt, fail, open_store

from fuseboard import CircuitBreaker, Store

THREADS = 6
EVENTS: list[str] = []
AT_IMPORT = CircuitBreaker(FUSE, threshold=1)
"""A breaker as applications make them: when a module is imported, on the default store."""


@AT_IMPORT
def charge(amount: int) -> int:
    """A guarded function of a module."""
    if amount < 0:
        raise ServiceError
    return amount


def call_it(_post: Post, function: Callable[[int], int], amount: int) -> str:
    """Calls a function that another process has sent."""
    return attempt(lambda: function(amount))


def in_child(function: Callable[[], Any], fork: Callable[[], int] = os.fork) -> Any:
    """Forks, calls ``function`` in the child and returns what it returned, or ``"hangs"``."""
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            answer = function()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            answer = repr(error)
        os.write(writer, pickle.dumps(answer))
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], PATIENCE)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(data) if data else "hangs"  # noqa: S301 - from our own child


def breaker_on(name: str, **settings: Any) -> CircuitBreaker:
    """A breaker on the host's table."""
    return CircuitBreaker(FUSE, store=open_store(name), **({"reset_timeout": 0.001, "probe_timeout": 60} | settings))


def due_for_a_probe(breaker: CircuitBreaker) -> None:
    """Opens the fuse and waits until a probe may pass."""
    breaker.store.set_open(FUSE)
    since = breaker.store.state(FUSE).since
    while breaker.store.now() < since + 0.001:  # type: ignore[operator]
        pass


def preload(_post: Post, name: str) -> dict[str, Any]:
    """As under ``gunicorn --preload``: breaker and guarded function are made before the workers are forked."""
    breaker = breaker_on(
        name, threshold=4, reset_timeout=60, on_transition=lambda event: EVENTS.append(event.after.value)
    )
    guarded = breaker(fail)

    def worker() -> tuple[str, list[str]]:
        return attempt(guarded), list(EVENTS)

    words = [in_child(worker) for _ in range(6)]
    return {"words": words, "parent": attempt(guarded), "events": list(EVENTS), "state": breaker.state.value}


def preload_default(_post: Post, name: str) -> dict[str, Any]:
    """The same with a breaker on the default store, which nobody has opened before the fork."""
    os.environ["FUSEBOARD_STORE"] = name
    breaker = CircuitBreaker(FUSE, threshold=2)
    words = [in_child(lambda: attempt(lambda: breaker.call(fail))) for _ in range(3)]
    return {"words": words, "parent": breaker.state.value, "name": Store.default().name}


def default_in_children(_post: Post, name: str) -> list[Any]:
    """The default store is opened by the parent, then looked up by name and by default in children."""
    os.environ["FUSEBOARD_STORE"] = name
    Store.default().record_failure(FUSE, LONG)

    def look() -> tuple[int, int, bool]:
        counts = Store.default().record_failure(FUSE, LONG), open_store(name).record_failure(FUSE, LONG)
        return *counts, Store.default().is_shared

    return [in_child(look), in_child(functools.partial(in_child, look)), Store.default().record_failure(FUSE, LONG)]


def private_is_copied(_post: Post, _name: str) -> dict[str, Any]:
    """A private store after fork: each side goes on with a copy."""
    store = Store.private()
    store.record_failure(FUSE, LONG)
    child = in_child(lambda: [store.record_failure(FUSE, LONG) for _ in range(5)])
    return {"child": child, "parent": store.record_failure(FUSE, LONG)}


def fork_in_a_probe(_post: Post, name: str, outcome: str) -> dict[str, Any]:
    """Forks in the middle of a probe; the child leaves the block first, then the parent."""
    breaker = breaker_on(name)
    due_for_a_probe(breaker)
    reader, writer = os.pipe()
    report: dict[str, Any] = {}
    parent = os.getpid()
    try:
        with breaker:
            if os.fork() == 0:
                _raise_if(outcome == "failure")
            else:
                os.wait()
                report["while"] = breaker.state.value
                report["others"] = in_child(lambda: attempt(lambda: breaker.call(fail)))
    except ServiceError:
        pass
    if os.getpid() != parent:
        os.write(writer, pickle.dumps((breaker.state.value, attempt(lambda: breaker.call(fail)))))
        os._exit(0)
    report["child"] = pickle.loads(os.read(reader, 4096))  # noqa: S301 - from our own child
    return report | {"after": breaker.state.value, "late_outcomes": breaker.store.snapshot()[FUSE].late_outcomes}


def fork_in_a_guarded_function(_post: Post, name: str) -> dict[str, Any]:
    """The same in a guarded function and a guarded generator, which settle a permit of their own making."""
    breaker = breaker_on(name)
    report = {}
    for kind, call in {"function": breaker(os.fork), "generator": lambda: next(breaker(_forks)())}.items():
        due_for_a_probe(breaker)
        pid = call()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        report[kind] = breaker.state.value
    return report


def _forks() -> Any:
    yield os.fork()


def _raise_if(failing: bool) -> None:
    if failing:
        raise ServiceError


def exit_in_a_call(_post: Post, name: str, probing: bool) -> dict[str, Any]:
    """Children that end with ``os._exit`` in the middle of a call."""
    breaker = breaker_on(name, threshold=1)
    if probing:
        due_for_a_probe(breaker)
    pid = os.fork()
    if pid == 0:
        with breaker:
            os._exit(0)
    os.waitpid(pid, 0)
    word = attempt(lambda: breaker.call(os.getpid))
    snapshot = breaker.store.snapshot()[FUSE]
    return {"word": word, "state": breaker.state.value, "probes": snapshot.probes, "failures": snapshot.failures}


_LOOK = """
import os, sys, fuseboard
store = fuseboard.Store.shared(sys.argv[1], strict=True)
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
files = [os.readlink(link) for link in links if os.path.lexists(link)]
print(store.state("payments").state.value, sum(os.environ["FUSEBOARD_DIR"] in file for file in files))
"""


def execute(_post: Post, name: str) -> str:
    """A child that executes another program, which opens the table by its name."""
    breaker = breaker_on(name)
    breaker.store.set_open(FUSE)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        os.execv(sys.executable, [sys.executable, "-c", _LOOK, name])  # noqa: S606 - this very interpreter
    os.close(writer)
    os.waitpid(pid, 0)
    return os.read(reader, 4096).decode().strip()


def execute_in_a_probe(_post: Post, name: str, lease: float) -> dict[str, Any]:
    """A child that becomes another program in the middle of its probe: its pid lives on, its permit is forgotten."""
    breaker = breaker_on(name, probe_timeout=lease)
    due_for_a_probe(breaker)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with breaker:
            os.dup2(writer, 1)
            os.execv("/bin/sh", ["sh", "-c", "echo; exec sleep 600"])  # noqa: S606 - until it is killed
    os.read(reader, 1)
    try:
        first = attempt(lambda: breaker.call(os.getpid))
        deadline = time.monotonic() + PATIENCE
        while (word := attempt(lambda: breaker.call(os.getpid))) != "done" and time.monotonic() < deadline:
            pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    snapshot = breaker.store.snapshot()[FUSE]
    return {"first": first, "then": word, "state": breaker.state.value, "late_outcomes": snapshot.late_outcomes}


def fork_with_threads(_post: Post, name: str, children: int) -> dict[str, Any]:
    """Forks again and again while other threads make calls, open stores and claim fuses."""
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on warns of exactly what is tested here
    breaker = breaker_on(name, threshold=256)
    done = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        busy = [pool.submit(_keep_busy, breaker, f"{name}-{number}", done) for number in range(THREADS)]
        answers = [in_child(lambda: _use_everything(breaker, name)) for _ in range(children)]
        done.set()
    return {"answers": answers, "faults": [repr(each.exception()) for each in busy if each.exception()]}


def _keep_busy(breaker: CircuitBreaker, name: str, done: threading.Event) -> None:
    number = 0
    while not done.is_set():
        number += 1
        attempt(lambda: breaker.call(fail))
        with breaker, Store.shared(f"{name}-{number % 3}", strict=True) as store:
            store.record_failure(f"fuse{number % 500}", LONG)
            breaker.store.record_success(FUSE)


def _use_everything(breaker: CircuitBreaker, name: str) -> tuple[Any, ...]:
    with breaker:
        pass
    words = attempt(lambda: breaker.call(os.getpid)), attempt(lambda: breaker.call(fail))
    fresh = Store.shared(f"{name}-fresh", strict=True)
    fresh.record_failure(FUSE, LONG)
    return *words, len(breaker.store.all_states()), Path(str(fresh.path)).exists()
