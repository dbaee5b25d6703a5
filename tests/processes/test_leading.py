"""One process of the host leads for a purpose: killed, stopped, forked, and eight at once; and what it exports."""

import collections
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import leader_scenes as scenes
import pytest
from event_scenes import wait_for
from team import Team, Worker
from workers import open_store

from fuseboard import FuseCounts, Store

LONG = 3600.0
"""A lease that no test outlasts: who takes over before it runs out knows that the leader has died."""
SHORT = 0.2


@pytest.fixture
def buried() -> Iterator[list[int]]:
    """Children of killed processes, which the test ends."""
    children: list[int] = []
    yield children
    for child in children:
        scenes.kill_quietly(child)


@pytest.mark.timeout(120)
def test_a_killed_leader_is_replaced_at_once(team: Team, host: str) -> None:
    """Whoever asks next leads, in the next term, long before the lease has run out."""
    one, other = team.start(2, scenes.lead_when_told, host, scenes.METRICS, LONG)
    assert [(True, 1), (False, None), (True, 1)] == [one.ask("lead"), other.ask("lead"), one.ask("lead")]
    one.kill()
    assert [(True, 2), (True, 2)] == [other.ask("lead"), other.ask("look")]


def test_a_leader_that_is_dead_and_not_buried_is_replaced(forked: Team, host: str) -> None:
    """Its parent does not wait for it, so its pid lives on. It leads no more."""
    one, other = forked.start(2, scenes.lead_when_told, host, scenes.METRICS, LONG)
    assert [(True, 1), (False, None)] == [one.ask("lead"), other.ask("lead")]
    one.kill_unburied()
    assert (True, 2) == other.ask("lead")


def test_a_leader_that_resigns_is_replaced_at_once(forked: Team, host: str) -> None:
    """And may lead again when the next one has ended."""
    one, other = forked.start(2, scenes.lead_when_told, host, scenes.METRICS, LONG)
    assert [(True, 1), None, (False, None)] == [one.ask(word) for word in ("lead", "resign", "look")]
    assert [(True, 2), (False, None)] == [other.ask("lead"), one.ask("lead")]
    other.kill()
    assert (True, 3) == one.ask("lead")


def test_a_stopped_leader_is_replaced_and_learns_it(team: Team, host: str) -> None:
    """It is alive, so it keeps its lock. When its lease has run out another one leads; when it goes on, it does not."""
    one, other = team.start(2, scenes.lead_when_told, host, scenes.METRICS, SHORT)
    assert [True, 1] == [*one.ask("lead")]
    one.stop()
    wait_for(lambda: other.ask("lead")[0])
    one.go_on()
    assert [(False, None), (False, None)] == [one.ask("look"), one.ask("lead")]
    term = other.ask("look")[1]
    assert term is None or term > 1


def test_a_leader_in_the_place_of_a_stopped_one_is_replaced_at_once_too(forked: Team, host: str) -> None:
    """The stopped one has the lock until it learns that it leads no more; then the new leader has it."""
    one, other = forked.start(2, scenes.lead_when_told, host, scenes.METRICS, SHORT)
    (third,) = forked.start(1, scenes.lead_when_told, host, scenes.METRICS, LONG)
    (fourth,) = forked.start(1, scenes.lead_when_told, host, scenes.METRICS, LONG)
    assert other.ask("lead") == (True, 1)
    other.stop()
    wait_for(lambda: third.ask("lead")[0])
    term = third.ask("lead")[1]
    other.go_on()
    assert [(False, None), (False, None)] == [other.ask("lead"), one.ask("lead")]
    assert (True, term) == third.ask("lead")
    third.kill()
    assert (True, term + 1) == fourth.ask("lead")


def test_a_leaders_child_does_not_lead_and_does_not_keep_the_lead(forked: Team, host: str, buried: list[int]) -> None:
    """Neither while its parent lives nor for it: the lock is the parent's alone, and goes with it."""
    one, other = forked.start(2, scenes.lead_when_told, host, scenes.METRICS, LONG)
    assert (True, 1) == one.ask("lead")
    child, led = one.ask("lead in a child")
    buried.append(child)
    assert not led
    assert [(False, None), (True, 1)] == [other.ask("lead"), one.ask("lead")]
    one.kill_unburied()
    assert (True, 2) == other.ask("lead")


def test_an_flock_would_be_kept_by_the_child(forked: Team, folder: Path, buried: list[int]) -> None:
    """The control: a lock of the other kind stays held when its process has died, for as long as a child lives."""
    path = folder / "flock"
    (holder,) = forked.start(1, scenes.hold_an_flock, path)
    buried.append(holder.hear())
    holder.kill_unburied()
    assert not scenes.can_flock(path)
    scenes.kill_quietly(buried.pop())
    wait_for(lambda: scenes.can_flock(path))


@pytest.mark.timeout(120)
def test_eight_workers_at_once_have_one_leader(team: Team, host: str) -> None:
    """In each round one of them, whoever was faster."""
    rounds = 40
    led = team.run(8, scenes.lead_at_once, host, rounds)
    assert [1] * rounds == [sum(of_round) for of_round in zip(*led, strict=True)]


def test_purposes_have_leaders_of_their_own(forked: Team, host: str) -> None:
    """Two processes that lead for different purposes are not in each other's way."""
    one, other = (forked.start(1, scenes.lead_when_told, host, purpose, LONG)[0] for purpose in ("metrics", "agent"))
    assert [(True, 1), (True, 1)] == [one.ask("lead"), other.ask("lead")]
    one.kill()
    assert (True, 1) == other.ask("lead")


def test_a_removed_lock_changes_the_leader_once(forked: Team, host: str, folder: Path) -> None:
    """Whoever finds no lock makes one and leads. The one that led before learns it, and does not take the lead back."""
    one, other = forked.start(2, scenes.lead_when_told, host, scenes.METRICS, LONG)
    assert (True, 1) == one.ask("lead")
    (lock,) = folder.glob("*.lock")
    lock.unlink()
    assert (True, 2) == other.ask("lead")
    assert [(False, None), (True, 2), (False, None)] == [one.ask("lead"), other.ask("lead"), one.ask("lead")]
    other.kill()
    assert (True, 3) == one.ask("lead")


class Sink:
    """Where exports go: the sums of all, by fuse."""

    def __init__(self) -> None:
        self.sums: dict[str, list[int]] = collections.defaultdict(lambda: [0] * len(FuseCounts._fields))
        self.exports = 0

    def take(self, worker: Worker, word: str = "export") -> bool:
        """Tells a worker to export; whether it did."""
        counts = worker.ask(word)
        assert word == worker.hear()
        self.add(counts or {})
        return counts is not None

    def add(self, counts: dict[str, tuple[int, ...]]) -> None:
        """One export."""
        self.exports += bool(counts)
        for fuse, counted in counts.items():
            self.sums[fuse] = [had + more for had, more in zip(self.sums[fuse], counted, strict=True)]

    def settle(self, store: Store) -> None:
        """The last export, by this process, when all others have ended."""
        counts = store.leader(scenes.METRICS, lease=LONG).counts()
        assert counts is not None
        self.add({fuse: tuple(counted) for fuse, counted in counts.items()})
        counts.done()


def totals(store: Store) -> dict[str, list[int]]:
    """What the store says of each fuse."""
    snapshot = store.snapshot()
    return {fuse: [getattr(each, name) for name in FuseCounts._fields] for fuse, each in snapshot.items()}


Start = Callable[[int], list[Worker]]


@pytest.fixture
def callers(forked: Team, host: str) -> Start:
    """Starts processes that make calls and export when they are told to."""
    return lambda size: forked.start(size, scenes.call_and_export, host, LONG)


@pytest.mark.timeout(120)
def test_each_count_is_exported_once_whoever_leads(callers: Start, host: str) -> None:
    """Four workers; the leader is killed again and again between two exports. All exports together are the totals."""
    workers, sink, leaders = callers(4), Sink(), []
    for _ in range(4):
        for _ in range(3):
            led = [worker for worker in workers if sink.take(worker)]
            assert 1 == len(led)
        leaders.append(led[0].pid)
        led[0].kill()
        workers.remove(led[0])
    store = open_store(host)
    sink.settle(store)
    assert totals(store) == sink.sums
    assert len(set(leaders)) == 4
    assert sink.exports >= 12
    assert all(sum(sink.sums[fuse]) > 0 for fuse in scenes.FUSES)


@pytest.mark.timeout(120)
def test_a_leader_that_dies_before_it_says_so_has_its_export_told_again(callers: Start, host: str) -> None:
    """One interval is exported twice, and nothing is left out: it is what the leader exported that was killed."""
    (first, second), sink = callers(2), Sink()
    assert sink.take(first)
    before = {fuse: [*counted] for fuse, counted in sink.sums.items()}
    assert sink.take(first, "export, not done")
    twice = {fuse: [now - then for now, then in zip(sink.sums[fuse], before[fuse], strict=True)] for fuse in before}
    first.kill()
    assert sink.take(second)
    second.tell("end")
    second.end()
    store = open_store(host)
    sink.settle(store)
    expected = totals(store)
    for fuse, again in twice.items():
        expected[fuse] = [once + more for once, more in zip(expected[fuse], again, strict=True)]
    assert expected == sink.sums
    assert all(sum(again) > 0 for again in twice.values())


@pytest.mark.timeout(120)
def test_a_leader_that_was_stopped_takes_nothing_back(forked: Team, host: str) -> None:
    """It says that its export has succeeded when another one has exported since: that is not exported again."""
    first, second = forked.start(2, scenes.call_and_export, host, SHORT)
    sink, ignored = Sink(), Sink()
    assert ignored.take(first, "export, not done")
    first.stop()
    wait_for(lambda: sink.take(second))
    first.go_on()
    first.ask("done")
    for worker in (first, second):
        worker.tell("end")
        worker.end()
    store = open_store(host)
    sink_of_the_rest: Any = store.leader(scenes.METRICS)
    wait_for(sink_of_the_rest.lead)
    sink.settle(store)
    assert totals(store) == sink.sums
