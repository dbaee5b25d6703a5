"""Two hundred processes on one table: every failure counts, and the fuse opens once."""

import collections
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from team import Team
from workers import FUSE, LONG, Post, attempt, counters, fail, open_store

from fuseboard import CircuitBreaker, Store

CROWD = 200
EACH = 5
ALL = CROWD * EACH
PROBED = "probed"
START = 90
"""Seconds that the first process waits for the last to be forked, at most."""


def work(post: Post, make_store: Callable[[], Store]) -> dict[str, Any]:
    """Records failures, fails under a breaker which all failures together open, and asks for its probe."""
    store = make_store()
    events: list[str] = []
    breaker = CircuitBreaker(
        FUSE,
        store=store,
        threshold=ALL,
        window=LONG,
        reset_timeout=LONG,
        on_transition=lambda event: events.append(event.after.value),
    )
    post.barrier.wait(START)
    counts = [store.record_failure("counted", LONG) for _ in range(EACH)]
    words = [attempt(lambda: breaker.call(fail)) for _ in range(EACH)]
    post.meet()
    last = attempt(lambda: breaker.call(fail))
    post.meet()
    totals = counters(store, FUSE)
    probe = ask_for_the_probe(post, CircuitBreaker(PROBED, store=store, probe_timeout=LONG))
    return {"counts": counts, "words": words, "last": last, "events": events, "totals": totals, "probe": probe}


def ask_for_the_probe(post: Post, breaker: CircuitBreaker) -> str:
    """Asks together with all others; who gets the probe holds it until all have asked."""
    if post.index == 0:
        breaker.store.set_half_open(breaker.name)
    post.meet()
    begun = breaker(_under_way)()
    word = attempt(lambda: next(begun))
    post.meet()
    return word


def _under_way() -> Iterator[None]:
    yield


def together(reports: list[dict[str, Any]], what: str) -> list[Any]:
    """What all processes said of one thing."""
    return [value for report in reports for value in report[what]]


def test_two_hundred_processes_on_one_table_count_exactly(forked: Team, host: str) -> None:
    """R03, T05: each of 1,000 failures has a count of its own; the last opens the fuse, by one event, for everybody.

    R06: and of all who ask, one gets the probe.
    """
    reports = forked.run(CROWD, work, functools.partial(open_store, host, failures=2048))
    assert list(range(1, ALL + 1)) == sorted(together(reports, "counts"))
    assert ["failed"] * ALL == together(reports, "words")
    assert ["open"] == together(reports, "events")
    assert ["open"] * CROWD == [report["last"] for report in reports]
    totals = {"successes": 0, "failures": ALL, "ignored": 0, "rejections": CROWD, "late_outcomes": 0, "probes": 0}
    assert [totals | {"trips": 1, "closes": 0}] * CROWD == [report["totals"] for report in reports]
    assert {"done": 1, "half-open": CROWD - 1} == collections.Counter(report["probe"] for report in reports)


def test_a_crowd_with_tables_of_their_own_is_found_out(forked: Team) -> None:
    """Control: the same check sees processes that do not share a table."""
    reports = forked.run(5, work, functools.partial(Store.private, failures=2048))
    assert [1] * 5 == sorted(together(reports, "counts"))[:5]
    assert [] == together(reports, "events")
    assert ["done"] * 5 == [report["probe"] for report in reports]


def test_nothing_is_left_of_a_crowd_but_its_table(forked: Team, host: str, folder: Path) -> None:
    """T07, T08: one file, of the size it was made with; processes leave no entries of their own in it."""
    store = open_store(host, failures=2048)
    size = store.size_bytes
    forked.run(20, work, functools.partial(open_store, host, failures=2048))
    assert [size] == [file.stat().st_size for file in folder.iterdir()]
    assert {FUSE, PROBED, "counted"} == set(store.all_states())
