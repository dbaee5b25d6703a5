"""However many processes fail at once, one of them trips the fuse."""

import functools
from pathlib import Path

import pytest
from racy import RacyRig
from rounds import expected_counters, rounds_of, without_one_trip
from tasks import trip
from team import Team
from workers import LONG, Rig

ROUNDS = 300
CROWDS = pytest.mark.parametrize(("failers", "calls", "threshold"), [(2, 1, 2), (6, 1, 6), (6, 12, 36)])


@CROWDS
def test_processes_that_fail_at_once_trip_the_fuse_exactly_once(
    team: Team, host: str, failers: int, calls: int, threshold: int
) -> None:
    """R03: one transition and one event per host, and never none: with one call each, the last is the last chance."""
    rig = functools.partial(Rig, host, threshold=threshold, window=LONG)
    rounds = rounds_of(team.run(failers, trip, rig, ROUNDS, calls))
    assert [] == without_one_trip(rounds)
    for each in rounds:
        assert failers * calls == each["failed"] + each["rejected"]
        assert expected_counters(each, threshold) == each["counters"]


def test_one_failure_less_than_the_threshold_trips_nothing(forked: Team, host: str) -> None:
    """R03: the fuse opens when the threshold is reached, not before."""
    rig = functools.partial(Rig, host, threshold=7, window=LONG)
    rounds = rounds_of(forked.run(6, trip, rig, ROUNDS, 1))
    assert [([], "closed")] * ROUNDS == [(each["events"], each["state"]) for each in rounds]


@CROWDS
def test_a_trip_that_looks_and_then_stores_is_found_out(
    forked: Team, tmp_path: Path, failers: int, calls: int, threshold: int
) -> None:
    """Control: the same check sees trips that are lost, or made twice, between looking and storing."""
    rig = functools.partial(RacyRig, tmp_path / "words", threshold)
    tries = (rounds_of(forked.run(failers, trip, rig, ROUNDS, calls)) for _ in range(10))
    assert any(without_one_trip(rounds) for rounds in tries)
