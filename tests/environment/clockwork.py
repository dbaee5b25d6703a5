"""What is run to see which clock decides: each scene prints what it saw as JSON. Free of pytest."""

import contextlib
import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

AT_NULL, AT_IGNORE, AT_SYSINFO_EHDR = 0, 1, 33
START_STACK = 28
"""Number of that field in proc(5)."""
YEARS = 10 * 365 * 24 * 3600
SYS_CLOCK_GETTIME = {"x86_64": 228, "aarch64": 113}


def hide_vdso() -> None:
    """Makes code that is loaded from now on ask the kernel for the time, where a tracer sees it.

    The kernel hands each program a list of facts, among them where its clocks can be read without a system call; that
    entry is struck out where it lies, behind arguments and environment on the stack. The C library has read it already,
    so Python's own looks at the clock are not seen; whoever asks the library for the fact is told that there is none.
    """
    # The line of numbers after the name in brackets begins with the third field of proc(5).
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    stack = ctypes.POINTER(ctypes.c_uint64).from_buffer(ctypes.c_uint64(int(fields[START_STACK - 3])))
    at = 1 + stack[0] + 1  # number of arguments, the arguments, a zero
    while stack[at]:
        at += 1
    at += 1
    while stack[at] not in (AT_NULL, AT_SYSINFO_EHDR):
        at += 2
    if stack[at] == AT_NULL:
        raise LookupError("no vDSO among the facts")
    stack[at] = AT_IGNORE


def everything(name: str) -> None:
    """Has Fuseboard make every decision that takes a clock, between two marks."""
    hide_vdso()
    from fuseboard import CircuitBreaker, CircuitOpenError, Store  # noqa: PLC0415 - only now

    os.getppid()
    store = Store.shared(name, strict=True)
    breaker = CircuitBreaker("db", threshold=2, window=60, reset_timeout=0.001, store=store)
    for _ in range(200):
        with contextlib.suppress(ZeroDivisionError, CircuitOpenError):
            breaker.call(lambda: 1 / 0)
        breaker.call(int) if breaker.state.value == "closed" else None
    for operation in (store.set_open, store.set_half_open, store.set_closed, store.record_success):
        operation("db")
    store.record_failure("db", 60)
    breaker.isolate()
    breaker.disable()
    breaker.reset()
    store.all_states()
    store.snapshot()
    store.reset_all()
    store.now()
    os.getppid()


def wall(_name: str) -> None:
    """Control: one look at the wall clock between the marks, by a system call."""
    os.getppid()
    ctypes.CDLL(None).syscall(SYS_CLOCK_GETTIME[os.uname().machine], 0, ctypes.create_string_buffer(16))
    os.getppid()


def steps(name: str) -> dict[str, Any]:
    """Sets the wall clock ten years on and ten years back in the middle of everything."""
    from fuseboard import CircuitBreaker, Store  # noqa: PLC0415 - beside the other scenes

    step_by = ctypes.CDLL(None).step_by
    step_by.argtypes = [ctypes.c_long]
    store = Store.shared(name, strict=True)
    slow = CircuitBreaker("slow", reset_timeout=3600, store=store)
    quick = CircuitBreaker("quick", reset_timeout=0.05, store=store)
    store.set_open("slow")
    seen: dict[str, Any] = {"years": [], "slow": [], "counts": [], "quick": []}
    start = time.time() - time.monotonic()
    for years in (0, YEARS, -YEARS, 0):
        step_by(years)
        seen["years"].append(round((time.time() - time.monotonic() - start) / YEARS))
        seen["slow"].append(retry_after(slow))
        seen["counts"].append(store.record_failure("counted", 3600))
        store.set_open("quick")
        step_by(-years)
        seen["quick"].append(ends_in_time(quick))
    return seen


def retry_after(breaker: Any) -> float | None:
    """How long a rejected call is told to wait; None if it was made."""
    from fuseboard import CircuitOpenError  # noqa: PLC0415 - as above

    try:
        breaker.call(int)
    except CircuitOpenError as rejection:
        return rejection.retry_after
    return None


def ends_in_time(breaker: Any) -> bool:
    """Whether the open fuse first rejects and, when its time has passed, closes."""
    rejected = False
    deadline = time.monotonic() + 30
    while (wait := retry_after(breaker)) is not None and time.monotonic() < deadline:
        rejected = True
        time.sleep(min(wait, 1))
    return rejected and breaker.state.value == "closed"


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](sys.argv[2])))  # noqa: T201 - the answer
