"""Control of the runner on many threads: without these, a run that uses one thread only would look just as good."""

import threading

import pytest

from crowd import THREADS, at_once
from fuseboard import Store

_meeting = threading.Barrier(THREADS)
_stores: set[int] = set()


def test_all_threads_are_in_a_test_at_once(store: Store) -> None:
    """Each waits for the others inside the test, with a store of its own."""
    _stores.add(id(store))
    _meeting.wait(timeout=60)
    assert len(_stores) == THREADS
    _meeting.wait(timeout=60)
    _stores.discard(id(store))
    _meeting.wait(timeout=60)


def test_a_failure_in_one_thread_of_many_fails_the_test() -> None:
    """What one thread raises is raised; the others run to their end."""
    ended: list[int] = []

    def work() -> None:
        ended.append(1)
        assert len(ended) != 2

    with pytest.raises(BaseExceptionGroup, match="1 of 8 threads"):
        at_once(8, work)
    assert 8 == len(ended)
