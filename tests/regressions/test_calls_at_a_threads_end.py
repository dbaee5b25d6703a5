"""A guarded call that a library made at the very end of a thread ended the process, without the interpreter lock.

Libraries in C call Python there, from a destructor of what they keep for a thread. What Fuseboard keeps for the thread
was gone by then, and to make it anew was a panic. With the lock, nothing is kept that could be gone.
"""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, os, threading
from fuseboard import CircuitBreaker, Store

breaker = CircuitBreaker("db", store=Store.private())
guarded = breaker(lambda: "answer")

@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def at_the_end(_):
    with breaker:
        print(guarded(), flush=True)

system = ctypes.CDLL(None)
key = ctypes.c_uint()
assert not system.pthread_key_create(ctypes.byref(key), at_the_end)

def work():
    guarded()
    assert not system.pthread_setspecific(key, ctypes.c_void_p(1))

for _ in range(2):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    # The interpreter counts a thread as ended before its destructors run: wait for the system's own end.
    while os.path.exists(f"/proc/self/task/{thread.native_id}"):
        pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks in /proc for the end of a thread")
def test_a_guard_can_be_called_by_a_destructor_at_the_end_of_a_thread() -> None:
    """Goal 1: a call goes through, whoever makes it and when."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - this Python
    assert (0, "answer\nanswer\n", "") == (done.returncode, done.stdout, done.stderr)
