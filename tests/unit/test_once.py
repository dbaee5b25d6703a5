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
        with lock():
            for _ in range(1000):
                pass

threading.Thread(target=hold, daemon=True).start()
taken = 0
for _ in range({FORKS}):
    pid = os.fork()
    if not pid:
        os._exit(not lock().acquire(blocking=False))
    taken += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(taken)
"""


UNSEEN = """
import ctypes, os, threading
{lock}
held, over = threading.Event(), threading.Event()

def hold():
    with lock():
        held.set()
        over.wait()  # and does not ask for the interpreter, which a child could not give to it

holder = threading.Thread(target=hold)
holder.start()
held.wait()
pid = ctypes.PyDLL(None).fork()
if not pid:
    os._exit(not lock().acquire(blocking=False))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
over.set()
"""
OURS = "from fuseboard._once import lock"
PLAIN = "plain = threading.RLock(); lock = lambda: plain"


def children_that_find_it_taken(program: str, lock: str) -> int:
    """How many of the children that a process forks while another thread holds a lock."""
    command = [sys.executable, "-W", "ignore", "-c", program.format(lock=lock)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603 - our own program


@pytest.mark.parametrize("program", [PROGRAM, UNSEEN], ids=["seen", "unseen"])
def test_a_forked_child_finds_the_lock_free(program: str) -> None:
    """Also where the interpreter does not see the fork. The control: of another lock, children find some taken."""
    assert 0 == children_that_find_it_taken(program, OURS)
    assert 0 < children_that_find_it_taken(program, PLAIN)


def test_a_handler_may_come_in_at_any_line() -> None:
    """The lock is re-entrant."""
    with lock():
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
