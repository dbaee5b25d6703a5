"""What processes do that may lead, each step when the test tells it to. Free of pytest."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from workers import PATIENCE, Post, attempt, fail, open_store

from fuseboard import CircuitBreaker, Counts, Leader

METRICS = "metrics"
FUSES = ("payments", "search")


def lead_when_told(post: Post, name: str, purpose: str, lease: float) -> None:
    """Does what it is told, and says what came of it."""
    leader = open_store(name).leader(purpose, lease=lease)
    while (word := post.hear()[0]) != "end":
        post.say(_answer(leader, word))


def _answer(leader: Leader, word: str) -> Any:
    if word == "lead":
        return leader.lead(), leader.term
    if word == "look":
        return leader.is_leader, leader.term
    if word == "resign":
        return leader.resign()
    if word == "lead in a child":
        return in_child_that_lives(lambda: leader.lead() or leader.is_leader)
    raise ValueError(word)


def in_child_that_lives(work: Any) -> tuple[int, bool]:
    """Forks a child that does this and then lives until it is killed; its pid, and what it said."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        os.write(writer, bytes([work()]))
        while True:
            signal.pause()
    os.close(writer)
    said = os.read(reader, 1)
    os.close(reader)
    return pid, said == b"\x01"


def kill_quietly(pid: int) -> None:
    """Kills a process that is nobody's to wait for."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def lead_at_once(post: Post, name: str, rounds: int) -> list[bool]:
    """Asks for the lead at the same instant as all others, and leaves it when all have asked."""
    leader = open_store(name).leader(METRICS, lease=3600)
    led = []
    for _ in range(rounds):
        post.start_together()
        led.append(leader.lead())
        post.meet()
        leader.resign()
        post.meet()
    return led


def hold_an_flock(post: Post, path: Path) -> None:
    """Takes a lock of the other kind, and forks a child that lives on."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    post.say(in_child_that_lives(lambda: False)[0])
    post.hear()


def can_flock(path: Path) -> bool:
    """Whether a process that has just started gets it."""
    script = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return subprocess.run([sys.executable, "-c", script, path], capture_output=True, check=False).returncode == 0  # noqa: S603


def call_and_export(post: Post, name: str, lease: float) -> None:
    """Makes calls all the time, some of which fail, and exports when it is told to."""
    store = open_store(name)
    payments, search = (CircuitBreaker(fuse, threshold=200, store=store) for fuse in FUSES)
    leader = store.leader(METRICS, lease=lease)
    counts: Counts | None = None
    while True:
        payments.call(int)
        search.call(int)
        attempt(lambda: search.call(fail))
        if not post.is_told():
            continue
        word = post.hear()[0]
        if word == "end":
            return
        if word in {"export", "export, not done"}:
            counts = leader.counts()
            post.say(None if counts is None else {fuse: tuple(counted) for fuse, counted in counts.items()})
        if counts is not None and word in {"export", "done"}:
            counts.done()
        # Behind it, so that the test does not kill it in the middle.
        post.say(word)
