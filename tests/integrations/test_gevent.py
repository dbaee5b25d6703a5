"""gevent's own time-outs, in a process whose standard library is patched."""

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import json, time
import gevent
from fuseboard import CircuitBreaker, CircuitOpenError, Store

store = Store.private()
breaker = CircuitBreaker("slow", store=store, threshold=3)

@breaker
def hang():
    time.sleep(60)

@breaker
def hang_in_time():
    with gevent.Timeout(0.01):
        time.sleep(60)

def ended(call):
    try:
        call()
    except (gevent.Timeout, CircuitOpenError) as error:
        return type(error).__name__

{scene}
seen = store.snapshot()["slow"]
print(json.dumps([told, breaker.state.value, seen.failures, seen.ignored]))
"""


def seen_in(scene: str) -> Any:
    """What a program with this scene in it has seen: what it told, the state, failures, and what was ignored."""
    program = PROGRAM.replace("{scene}", scene)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - ours
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def test_a_time_out_inside_the_guarded_call_is_a_failure() -> None:
    """R10: a service that hangs opens the fuse, though ``gevent.Timeout`` is no ``Exception``."""
    expected = [["Timeout"] * 3 + ["CircuitOpenError"], "open", 3, 0]
    assert expected == seen_in("told = [ended(hang_in_time) for _ in range(4)]")


def test_one_around_it_is_a_failure_too() -> None:
    """R10: gevent raises it in the same way, in the middle of the call; nobody can tell the two apart."""
    scene = """
def impatient():
    with gevent.Timeout(0.01):
        hang()
told = [ended(impatient) for _ in range(4)]
"""
    assert [["Timeout"] * 3 + ["CircuitOpenError"], "open", 3, 0] == seen_in(scene)


def test_a_silent_time_out_says_what_the_call_returns() -> None:
    """R10: inside the call nothing is raised, so it has succeeded; around it the call was cut short and failed."""
    scene = """
@breaker
def silent():
    with gevent.Timeout(0.01, False):
        time.sleep(60)
silent()
with gevent.Timeout(0.01, False):
    hang()
told = store.snapshot()["slow"].successes
"""
    assert [1, "closed", 1, 0] == seen_in(scene)


def test_a_killed_greenlet_says_nothing() -> None:
    """R10: ``GreenletExit`` is a cancellation, whatever ``failure_on`` says."""
    scene = """
breaker = CircuitBreaker("slow", store=store, threshold=1, failure_on=BaseException)
greenlet = gevent.spawn(breaker(time.sleep), 60)
gevent.sleep(0)
greenlet.kill()
told = greenlet.dead
"""
    assert [True, "closed", 0, 1] == seen_in(scene)


def test_other_greenlets_run_while_one_waits() -> None:
    """Where ``time`` is patched; one of them closes the fuse."""
    scene = """
store.set_open("slow")
gevent.spawn(breaker.reset)
told = breaker.wait()
"""
    assert [True, "closed", 0, 0] == seen_in(scene)


NESTED = """
from gevent import monkey
monkey.patch_all()
import json
import gevent
from gevent.event import Event
from fuseboard import CircuitBreaker, CircuitOpenError, Store
from fuseboard.testing import Clock

clock = Clock()
breaker = CircuitBreaker("db", store=Store.private(clock=clock))
told = []

def ask(who):
    try:
        breaker.call(int)
    except CircuitOpenError:
        told.append(who + " rejected")
    else:
        told.append(who + " passed")

@breaker
def probe(started, go_on):
    started.set()
    go_on.wait()
    ask("inside")

breaker.store.set_half_open("db")
started, go_on = Event(), Event()
running = gevent.spawn(probe, started, go_on)
started.wait()
ask("beside")
gevent.spawn(ask, "beside").join()
go_on.set()
running.get()
print(json.dumps([told, breaker.state.value]))
"""


def test_a_guard_inside_of_a_probe_steps_aside_in_its_greenlet_alone() -> None:
    """R06: a greenlet has a context of its own, although all of them are one thread."""
    done = subprocess.run([sys.executable, "-c", NESTED], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - ours
    assert 0 == done.returncode, done.stderr
    assert [["beside rejected", "beside rejected", "inside passed"], "closed"] == json.loads(done.stdout)
