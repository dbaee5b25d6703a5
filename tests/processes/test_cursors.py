"""A reader with a cursor: killed and restarted, it is told of each transition of a storm once, in order."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cursor_scenes
import event_scenes
import pytest
from event_scenes import END
from fork_scenes import in_child
from team import Team
from workers import open_store

from fuseboard import CircuitBreaker, Store

KILLS = 12
MAKERS = 2


def storm(forked: Team, host: str, path: Path, forgets: int) -> list[str]:
    """Kills makers wherever they are, and the reader too; what is wrong with what the reader was told in all."""
    dice = random.Random(1)  # noqa: S311 - to be repeated
    store = open_store(host)
    for _ in range(KILLS):
        (reader,) = forked.start(1, cursor_scenes.follow, host, path, forgets)
        makers = forked.start(MAKERS, event_scenes.make_until_killed, host, 20)
        for worker in (*makers, reader):
            assert "at it" == worker.hear()
        for worker in (*makers, reader):
            time.sleep(dice.random() / 50)
            forked.bury(worker)
    for fuse in store.all_states():
        CircuitBreaker(fuse, store=store).reset()  # what the killed left out is written down, and the end is the end
    store.set_open(END)
    (reader,) = forked.start(1, cursor_scenes.follow, host, path, forgets)
    assert "at it" == reader.hear()
    assert [True] == forked.results([reader])
    journal = event_scenes.journal(store)
    assert KILLS < len(journal) < 2048
    return event_scenes.faults(cursor_scenes.Diary(path).heard, journal)


def test_a_reader_that_is_killed_is_told_of_each_transition_once(forked: Team, host: str, tmp_path: Path) -> None:
    """T14: by the cursor that it stored with what it did; makers are killed as well."""
    assert [] == storm(forked, host, tmp_path / "diary", 0)


def test_a_cursor_that_is_kept_too_late_is_noticed(forked: Team, host: str, tmp_path: Path) -> None:
    """Control: a reader that goes on one transition before what it has written down is told of that twice."""
    assert [] != storm(forked, host, tmp_path / "diary", 1)


def test_a_child_goes_on_where_its_parent_stood(host: str) -> None:
    """Parent and child have a stream each from then on, which hand out the same."""
    store = open_store(host)
    stream = store.events()
    store.set_open("before")
    store.set_open("behind")
    assert stream.take(0)
    told = in_child(lambda: [made and made.fuse for made in (stream.take(10), stream.take(0))])
    assert ["behind", None] == told == [made and made.fuse for made in (stream.take(10), stream.take(0))]


@pytest.mark.parametrize("opens", [Store.existing, open_store])
def test_ctrl_c_ends_a_wait(host: str, opens: Callable[[str], Store]) -> None:
    """As it ends a sleep; and the stream goes on as if nothing had been."""
    store = open_store(host)
    stream = opens(host).events()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            next(stream)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    store.set_open("db")
    assert (made := stream.take(10))
    assert "db" == made.fuse
