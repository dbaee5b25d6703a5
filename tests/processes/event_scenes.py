"""What processes do that listen to a store, and how it is judged what they heard. Free of pytest."""

import ctypes
import itertools
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from fork_scenes import in_child
from workers import FUSE, PATIENCE, Post, attempt, fail, open_store

from fuseboard import CircuitBreaker, Store, Transition

END = "end"
"""The fuse whose opening is the last transition of a scene: whoever heard of it has heard all."""
Heard: TypeAlias = tuple[str, str, str, int]
"""A transition: fuse, states before and after, generation."""


def plain(made: Transition) -> Heard:
    """A transition without what nobody compares."""
    return made.fuse, made.before.value, made.after.value, made.generation


def wait_for(fact: Callable[[], object]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE} s")
        time.sleep(0.005)


def faults(heard: list[Heard], journal: list[Heard]) -> list[str]:
    """What is wrong with what a process heard, given what the journal says: each once, those of a fuse in order."""
    found = []
    for fuse in {each[0] for each in (*heard, *journal)}:
        mine, all_of_it = ([each for each in some if each[0] == fuse] for some in (heard, journal))
        if mine != all_of_it:
            found.append(f"{fuse}: heard {len(mine)} of {len(all_of_it)}, {len(set(mine))} different ones")
        ends = list(itertools.pairwise(mine))
        found += [f"{fuse}: {one} and then {next_}" for one, next_ in ends if one[2] != next_[1] or one[3] >= next_[3]]
    return found


def listen_and_make(post: Post, name: str, rounds: int, listeners: int) -> list[list[Heard]]:
    """Listens, makes transitions beside all others, and returns what each listener heard, up to the end."""
    store = open_store(name)
    heard: list[list[Heard]] = [[] for _ in range(listeners)]
    subscriptions = [store.subscribe(lambda made, mine=mine: mine.append(plain(made))) for mine in heard]
    own = CircuitBreaker(f"{FUSE}{post.index}", store=store)
    shared = CircuitBreaker(FUSE, store=store)
    post.start_together()
    for _ in range(rounds):
        own.isolate()
        shared.isolate()
        shared.disable()
        own.reset()
    post.meet()
    if post.index == 0:
        store.set_open(END)
    wait_for(lambda: all(mine and mine[-1][0] == END for mine in heard))
    assert [0] * listeners == [subscription.lost for subscription in subscriptions]
    return heard


def listen(post: Post, name: str) -> list[Heard]:
    """Listens up to the end, and a listener beside it raises each time."""
    store = open_store(name)
    heard: list[Heard] = []

    def raises(made: Transition) -> None:
        raise LookupError(made.fuse)

    store.subscribe(raises)
    store.subscribe(lambda made: heard.append(plain(made)))
    post.say("listening")
    wait_for(lambda: heard and heard[-1][0] == END)
    return heard


def make_until_killed(post: Post, name: str, most: int) -> None:
    """Makes transitions of a fuse of its own and of one that all have."""
    own, shared = (CircuitBreaker(fuse, store=open_store(name)) for fuse in (f"{FUSE}{post.index}", FUSE))
    for count in range(most):
        own.isolate()
        shared.isolate()
        shared.disable()
        own.reset()
        if count == 0:
            post.say("at it")
    time.sleep(PATIENCE)


def listen_across_a_fork(_post: Post, name: str) -> dict[str, list[Any]]:
    """Parent and child go on from where the parent's subscription stood; each tells its own listener."""
    store = open_store(name)
    heard: list[tuple[str, int]] = []
    store.subscribe(lambda made: heard.append((made.fuse, os.getpid())))
    store.set_open("before")
    wait_for(lambda: heard)
    parent = os.getpid()

    def child() -> list[str]:
        store.set_open("in the child")
        wait_for(lambda: len(heard) == 2)
        store.set_open(END)
        wait_for(lambda: len(heard) == 3)
        return [f"{fuse} {'parent' if pid == parent else 'child'}" for fuse, pid in heard]

    in_it = in_child(child)
    wait_for(lambda: heard[-1][0] == END)
    return {"child": in_it, "parent": [f"{fuse} {'parent' if pid == parent else 'child'}" for fuse, pid in heard]}


def fork_while_listening(_post: Post, name: str) -> list[str]:
    """A child is forked while the parent's listener is at work: what it heard."""
    store = open_store(name)
    heard: list[str] = []
    at_work: list[bool] = []
    go_on: list[bool] = []
    parent = os.getpid()

    def listener(made: Transition) -> None:
        at_work.append(True)
        if os.getpid() == parent:
            wait_for(lambda: go_on)
        heard.append(made.fuse)

    store.subscribe(listener)
    store.set_open("first")
    store.set_open("second")
    wait_for(lambda: at_work)

    def child() -> list[str]:
        wait_for(lambda: len(heard) == 2)
        return heard

    answer: list[str] = in_child(child)
    go_on.append(True)
    wait_for(lambda: len(heard) == 2)
    return answer


def fork_in_a_listener(_post: Post, name: str) -> list[str]:
    """A listener forks; what its child's listeners heard, the one beside it too."""
    store = open_store(name)
    beside: list[str] = []
    answers: list[Any] = []

    def forks(made: Transition) -> None:
        beside.append(f"forks {made.fuse}")
        if made.fuse == "first":
            answers.append(in_child(child))

    def child() -> list[str]:
        wait_for(lambda: "other first" in beside)
        store.set_open(END)
        wait_for(lambda: f"other {END}" in beside)
        return beside

    store.subscribe(forks)
    store.subscribe(lambda made: beside.append(f"other {made.fuse}"))
    store.set_open("first")
    wait_for(lambda: answers)
    return list(answers[0])


def journal(store: Store) -> list[Heard]:
    """What the table itself remembers."""
    return [plain(made) for made in store.journal()]


def return_from_a_listener_in_a_child(_post: Post, name: str) -> list[str]:
    """A listener forks, and its child returns from it as its parent does; what the child heard from then on."""
    store = open_store(name)
    heard: list[str] = []
    reader, writer = os.pipe()
    parent = os.getpid()

    def listener(made: Transition) -> None:
        if made.fuse == "0":
            os.fork()
        elif os.getpid() != parent:
            time.sleep(0.02)  # leaves another thread that tells, if there is one, time to do it too
            heard.append(made.fuse)
            if made.fuse == END:
                os.write(writer, " ".join(heard).encode())
                os._exit(0)

    store.subscribe(listener)
    for number in range(9):
        store.set_open(str(number))
    store.set_open(END)
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        ready, _, _ = select.select([pipe], [], [], PATIENCE)
        return pipe.read(200).decode().split() if ready else ["nothing"]


def unseen_fork() -> int:
    """Forks as uWSGI does: no code of the interpreter's runs, and so none of ``os.register_at_fork``."""
    return int(ctypes.PyDLL(None).fork())


NOTICES: dict[str, Callable[[Store, CircuitBreaker], object]] = {
    "a call that fails": lambda _store, breaker: (attempt(lambda: breaker.call(fail)), breaker.call(int)),
    "another breaker": lambda store, _breaker: CircuitBreaker("other", store=store).call(int),
    "a manual override": lambda _store, breaker: breaker.disable(),
    "a snapshot": lambda store, _breaker: store.snapshot(),
    "a raw operation": lambda store, _breaker: store.record_success("raw"),
    "another listener": lambda store, _breaker: store.subscribe(print),
}
"""What makes a child that was forked behind the interpreter's back see to its listeners."""


def listen_across_an_unseen_fork(_post: Post, name: str, act: str) -> dict[str, Any]:
    """Listens, forks unseen, and in the child does something; which listeners' calls the child then has."""
    store = open_store(name)
    breaker = CircuitBreaker(FUSE, store=store)
    breaker.call(int)
    heard: list[tuple[int, str]] = []
    store.subscribe(lambda made: heard.append((os.getpid(), made.fuse)))

    def child() -> dict[str, Any]:
        breaker.call(int)
        threads = len(list(Path("/proc/self/task").iterdir()))
        NOTICES[act](store, breaker)
        store.set_open(END)
        wait_for(lambda: (os.getpid(), END) in heard)
        return {"threads": threads, "ends": heard.count((os.getpid(), END))}

    seen: dict[str, Any] = in_child(child, unseen_fork)
    wait_for(lambda: (os.getpid(), END) in heard)
    return {**seen, "parent": heard.count((os.getpid(), END))}
