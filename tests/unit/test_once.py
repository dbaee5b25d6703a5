"""The package's lock, and what is said once."""

import subprocess
import sys
import threading

import pytest

from fuseboard._once import Once, lock

FORKS = 50
PROGRAM = f"""
import os, sys, threading
{{lock}}
sys.setswitchinterval(1e-6)

def hold():
    while True:
        with lock:
            for _ in range(1000):
                pass

threading.Thread(target=hold, daemon=True).start()
taken = 0
for _ in range({FORKS}):
    pid = os.fork()
    if not pid:
        os._exit(not lock.acquire(blocking=False))
    taken += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(taken)
"""


def children_that_find_it_taken(lock: str) -> int:
    """How many of the children that a process forks while another thread holds a lock most of the time."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM.format(lock=lock)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603 - our own program


def test_a_forked_child_finds_the_lock_free() -> None:
    """The fork waits for it. The control: of another lock nobody waits for, children find some taken."""
    assert 0 == children_that_find_it_taken("from fuseboard._once import lock")
    assert 0 < children_that_find_it_taken("lock = threading.RLock()")


def test_a_handler_may_come_in_at_any_line() -> None:
    """The lock is re-entrant."""
    with lock:
        assert Once().is_first("said")


def test_what_was_said_is_not_first_again() -> None:
    """Of threads at once one is first."""
    once, start, firsts = Once(), threading.Barrier(4), []

    def say() -> None:
        start.wait()
        firsts.extend(number for number in range(200) if once.is_first(number))

    threads = [threading.Thread(target=say) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert list(range(200)) == sorted(firsts)


@pytest.mark.parametrize("most", [0, 2])
def test_so_much_is_said_and_no_more(most: int) -> None:
    """Then nothing is first, so that nobody says it."""
    once = Once(most)
    assert [number < most for number in range(4)] == [once.is_first(number) for number in range(4)]
    assert (most, False) == (len(once), 3 in once)
