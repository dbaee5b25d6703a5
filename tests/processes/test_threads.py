"""The same exactness with threads and tasks, in one process and in several."""

import collections
import functools
from pathlib import Path

import loops
import pytest
import thread_scenes
from racy import RacyRig, RacyStore
from rounds import expected_counters, rounds_of, without_one_trip
from tasks import count_failures, trip
from team import Team
from test_counts import unlike
from workers import LONG, Rig, open_store

CROWDS = pytest.mark.parametrize(("processes", "threads"), [(1, 16), (4, 4)])
FUSES = ["a", "b", "c"]


@CROWDS
def test_every_failure_of_many_threads_gets_a_count_of_its_own(
    forked: Team, host: str, processes: int, threads: int
) -> None:
    """R03, T05: threads are counted as processes are."""
    make_store = functools.partial(open_store, host, failures=2048)
    told = forked.run(processes, count_failures, make_store, FUSES, 125, threads)
    assert [] == unlike(list(range(1, 2001)), told, FUSES)


def test_threads_that_look_and_then_store_are_found_out(forked: Team, tmp_path: Path) -> None:
    """Control: the same check sees failures that threads lose."""
    store = functools.partial(RacyStore, tmp_path)
    tries = (forked.run(1, count_failures, store, [fuse], 500, 16) for fuse in "abcdefghij")
    assert any(unlike(list(range(1, 8001)), told, ["fuse"]) for told in tries)


@CROWDS
def test_threads_that_fail_at_once_trip_the_fuse_exactly_once(
    forked: Team, host: str, processes: int, threads: int
) -> None:
    """R03: one transition and one event, whichever thread of whichever process made it."""
    rig = functools.partial(Rig, host, threshold=100, window=LONG)
    rounds = rounds_of(forked.run(processes, trip, rig, 60, 10, threads))
    assert [] == without_one_trip(rounds)
    for each in rounds:
        assert expected_counters(each, 100) == each["counters"]


def test_trips_of_threads_that_look_and_then_store_are_found_out(forked: Team, tmp_path: Path) -> None:
    """Control: the same check sees trips that threads lose or make twice."""
    rig = functools.partial(RacyRig, tmp_path / "words", 100)
    assert any(without_one_trip(rounds_of(forked.run(4, trip, rig, 60, 10, 4))) for _ in range(10))


@pytest.mark.parametrize("processes", [1, 4])
def test_tasks_of_one_breaker_are_counted_as_what_they_were(forked: Team, host: str, processes: int) -> None:
    """R04, R10, R17: 200 calls under way at once end as success, failure or cancellation, each counted once."""
    reports = forked.run(processes, loops.crowd, host)
    counters = dict.fromkeys(("rejections", "late_outcomes", "probes", "trips", "closes"), 0)
    counters |= {"successes": 90 * processes, "failures": 60 * processes, "ignored": 50 * processes}
    assert [{"words": loops.OUTCOMES, "counters": counters}] * processes == reports


@pytest.mark.parametrize("threshold", [150, 200])
def test_tasks_that_fail_at_once_trip_the_fuse_exactly_once(forked: Team, host: str, threshold: int) -> None:
    """R03, R09: all were admitted before the trip; those that fail after it are late, and none is rejected."""
    report = forked.one(loops.trip, host, threshold)
    assert (["failure"] * 200, ["open"], "open") == (report["words"], report["events"], report["state"])
    assert (1, 200 - threshold) == (report["counters"]["trips"], report["counters"]["late_outcomes"])


def test_tasks_of_many_processes_trip_the_fuse_exactly_once(forked: Team, host: str) -> None:
    """R03: the same with four event loops."""
    reports = forked.run(4, loops.trip, host, 600)
    assert ["open"] == [event for report in reports for event in report["events"]]
    words = collections.Counter(word for report in reports for word in report["words"])
    assert 800 == words["failure"] + words["open"]
    assert (1, words["failure"] - 600) == (reports[0]["counters"]["trips"], reports[0]["counters"]["late_outcomes"])


def test_one_task_of_many_is_the_probe_and_a_cancelled_one_gives_it_back(forked: Team, host: str) -> None:
    """R06, R10: the permit of the cancelled probe is there for the next one."""
    report = forked.one(loops.probe, host)
    assert {"cancelled": 1, "half-open": 199} == collections.Counter(report["first"])
    assert {"success": 1, "half-open": 199} == collections.Counter(report["second"])
    assert ["half-open", "closed"] == report["events"]
    assert (2, 1, 1) == tuple(report["counters"][name] for name in ("probes", "ignored", "closes"))


def test_a_store_may_be_opened_and_closed_by_many_threads_at_once(forked: Team, host: str) -> None:
    """Contract: a store is thread-safe, and to close it twice is not an error."""
    assert 16 * 200 == len(forked.one(thread_scenes.open_and_close, host, 200))


@pytest.mark.parametrize("kind", ["default", "fallen back"])
def test_threads_that_ask_for_a_store_at_once_get_the_same(forked: Team, kind: str) -> None:
    """Goal 3: also where it is private; else the failures of one process would go into several tables."""
    assert [1] * 100 == forked.one(thread_scenes.open_at_once, kind, 100)


def test_breakers_may_be_made_while_another_thread_opens_the_default_store(forked: Team) -> None:
    """Goal 1: nothing goes wrong, and no first call goes unguarded."""
    assert [] == forked.one(thread_scenes.make_while_opening, 100)


def test_an_old_call_in_a_stack_leaves_the_probe_of_another_alone(forked: Team, host: str) -> None:
    """R09: it was admitted before the trip, so its outcome is late, however its block was entered."""
    assert ["half-open"] * 30 == forked.one(thread_scenes.old_call_in_a_stack, host, 30)
