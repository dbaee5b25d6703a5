"""Failures and calls are counted exactly, from any number of processes."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from racy import RacyStore
from tasks import CALLS, REJECTED, claim, count_failures, make_calls
from team import Team
from workers import open_store

WRITERS = 8
TIMES = 250
FUSES = [f"fuse{number}" for number in range(20)]


def unlike(expected: list[int], told: list[list[list[int]]], fuses: list[str]) -> list[str]:
    """Fuses on which the counts that were told, to all writers together, are not the expected ones, each once."""
    together = [sorted(count for own in counts for count in own) for counts in zip(*told, strict=True)]
    return [fuse for fuse, counts in zip(fuses, together, strict=True) if expected != counts]


def miscounted(team: Team, make_store: Callable[[], Any], most: int = WRITERS * TIMES) -> list[str]:
    """Fuses that are not counted 1, 2, 3 ... up to ``most``, which is told to the rest."""
    told = team.run(WRITERS, count_failures, make_store, FUSES, TIMES)
    return unlike([min(count, most) for count in range(1, WRITERS * TIMES + 1)], told, FUSES)


def test_every_failure_of_many_processes_gets_a_count_of_its_own(team: Team, host: str) -> None:
    """R03, T05: no failure is lost, and none is counted twice."""
    assert [] == miscounted(team, functools.partial(open_store, host, failures=2048))


def test_counts_saturate_at_the_capacity_exactly(forked: Team, host: str) -> None:
    """Contract: a count is exact up to ``failure_capacity`` and stays there, through many laps of the ring."""
    assert [] == miscounted(forked, functools.partial(open_store, host, failures=64), most=64)


def test_a_count_that_looks_and_then_stores_is_found_out(forked: Team, tmp_path: Path) -> None:
    """Control: the same check sees failures that are lost between looking and storing."""
    assert miscounted(forked, functools.partial(RacyStore, tmp_path))


def test_a_count_in_tables_of_their_own_is_found_out(forked: Team, tmp_path: Path) -> None:
    """Control: the same check sees processes that do not share a table."""
    assert FUSES == miscounted(forked, functools.partial(_unshared, tmp_path))


def _unshared(folder: Path) -> RacyStore:
    return RacyStore(Path(tempfile.mkdtemp(dir=folder)))


def test_counters_are_the_exact_totals_of_all_processes(team: Team, host: str) -> None:
    """R10: calls of every kind are counted once each, and every process reads the same totals."""
    expected = {
        "successes": WRITERS * CALLS["success"],
        "failures": WRITERS * CALLS["failure"],
        "ignored": WRITERS * CALLS["cancelled"],
        "rejections": WRITERS * REJECTED,
        "late_outcomes": 0,
        "probes": 0,
        "trips": 0,
        "closes": 0,
    }
    assert [expected] * WRITERS == team.run(WRITERS, make_calls, host)


def test_a_name_claimed_by_many_processes_at_once_has_one_slot(team: Team, host: str) -> None:
    """T03: the names fill the table to its last slot, so a second slot for one of them would show as overflow."""
    names = sorted(f"name{number}" for number in range(256))
    reports = team.run(WRITERS, claim, host, names)
    assert [(0, names)] * WRITERS == [(report["overflowed"], report["names"]) for report in reports]
    for name in names:
        assert list(range(1, WRITERS + 1)) == sorted(report["counts"][name] for report in reports)
