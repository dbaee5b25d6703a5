"""T14 with real processes: every process that listens hears of every transition, once, in order; whoever made it."""

import subprocess
import sys
from typing import Any

import event_scenes
import pytest
from event_scenes import END, Heard
from team import Team
from workers import open_store

from fuseboard import CircuitBreaker

PROCESSES = 4


def test_all_hear_all(team: Team, host: str) -> None:
    """Four processes with two listeners each, all making transitions of one fuse and of their own at once."""
    answers = team.run(PROCESSES, event_scenes.listen_and_make, host, 50, 2)
    journal = event_scenes.journal(open_store(host))
    assert PROCESSES * 50 * 2 + 1 < len(journal) < 2048
    assert [] == [fault for heard in answers for mine in heard for fault in event_scenes.faults(mine, journal)]


def test_all_hear_all_when_makers_are_killed(forked: Team, host: str) -> None:
    """Ten makers, each killed wherever it is; a listener that raises is beside each that is judged."""
    listeners = forked.start(PROCESSES, event_scenes.listen, host)
    assert ["listening"] * PROCESSES == [listener.hear() for listener in listeners]
    for _ in range(5):
        makers = forked.start(2, event_scenes.make_until_killed, host, 40)
        for maker in makers:
            assert "at it" == maker.hear()
            forked.bury(maker)
    store = open_store(host)
    # Whoever makes the next transition writes down what a killed process left out; then the end is really the end.
    for fuse in store.all_states():
        CircuitBreaker(fuse, store=store).reset()
    left = len(store.journal())
    store.set_open(END)
    answers = forked.results(listeners)
    journal = event_scenes.journal(store)
    assert left + 1 == len(journal) < 2048
    assert [] == [fault for heard in answers for fault in event_scenes.faults(heard, journal)]


ALL: list[Heard] = [("a", "closed", "open", 1), ("b", "closed", "open", 2), ("a", "open", "closed", 3)]


@pytest.mark.parametrize(
    ("heard", "is_sound"),
    [
        (ALL, True),
        ([ALL[1], ALL[0], ALL[2]], True),
        (ALL[1:], False),
        (ALL[:2], False),
        ([*ALL, ALL[2]], False),
        ([ALL[2], ALL[0], ALL[1]], False),
        ([], False),
    ],
)
def test_the_judge_sees_what_is_missing_doubled_or_out_of_order(heard: list[Heard], is_sound: bool) -> None:
    """Negative control: order is of each fuse; between fuses there is none."""
    assert is_sound == (event_scenes.faults(heard, ALL) == [])


def test_a_forked_childs_subscriptions_go_on_in_the_child(spawned: Team, host: str) -> None:
    """From where they stood, in a thread of its own; the parent's go on as well."""
    seen = spawned.one(event_scenes.listen_across_a_fork, host)
    for side in ("parent", "child"):
        assert ["before parent", f"in the child {side}", f"{END} {side}"] == seen[side]


@pytest.mark.parametrize("act", event_scenes.NOTICES)
def test_a_child_that_python_was_not_told_of_listens_from_its_first_look(spawned: Team, host: str, act: str) -> None:
    """As uWSGI forks, in C: the child has no thread for its listeners until it makes another than a good call."""
    seen = spawned.one(event_scenes.listen_across_an_unseen_fork, host, act)
    assert {"threads": 1, "ends": 1, "parent": 1} == seen


def test_a_listener_at_work_at_a_fork_is_called_again_in_the_child(spawned: Team, host: str) -> None:
    """The thread it ran in is the parent's alone: what it had not finished is done in the child too."""
    assert ["first", "second"] == spawned.one(event_scenes.fork_while_listening, host)


def test_a_listener_that_forks_is_not_called_again_in_its_child(spawned: Team, host: str) -> None:
    """It goes on there by itself, and would fork for ever."""
    heard = spawned.one(event_scenes.fork_in_a_listener, host)
    assert sorted(["forks first", "other first", f"forks {END}", f"other {END}"]) == sorted(heard)


def test_a_child_that_returns_from_a_listener_tells_each_once(spawned: Team, host: str) -> None:
    """The thread that forked goes on in the child, beside the new one, and leaves the listeners to that."""
    heard = spawned.one(event_scenes.return_from_a_listener_in_a_child, host)
    assert [*map(str, range(1, 9)), END] == heard


ENDS = """
import sys, threading, time
from fuseboard import Store
store = Store.private()
at_work = threading.Event()
def listener(made):
    at_work.set()
    {work}
store.subscribe(listener)
store.set_open("db")
assert at_work.wait(30)
print("ends")
"""


@pytest.mark.parametrize("work", ["time.sleep(3600)", "while True: pass", "pass", "store.set_open(str(time.time()))"])
def test_listeners_do_not_keep_a_process_from_its_end(work: str, folder: Any) -> None:
    """Nor make it a bad one, wherever the thread is."""
    assert folder.is_dir()
    command = [sys.executable, "-W", "error", "-c", "import logging; logging.disable()" + ENDS.format(work=work)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - ours
    assert (0, "ends\n", "") == (done.returncode, done.stdout, done.stderr)
