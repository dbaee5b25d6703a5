"""However many processes fail at once, one of them trips the fuse."""

import functools
from pathlib import Path
from typing import Any

import pytest
from racy import RacyRig
from tasks import trip
from team import Team
from workers import LONG, Rig

ROUNDS = 300
CROWDS = pytest.mark.parametrize(("failers", "calls", "threshold"), [(2, 1, 2), (6, 1, 6), (6, 12, 36)])


def rounds_of(reports: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The reports of all processes put together, round by round."""
    rounds = []
    for own in zip(*reports, strict=True):
        together = {key: sum(report[key] for report in own) for key in ("failed", "rejected")}
        together |= {key: [word for report in own for word in report[key]] for key in ("events", "logged")}
        rounds.append(together | {key: own[0][key] for key in ("state", "counters")})
    return rounds


def without_one_trip(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rounds that did not end open after exactly one transition, one event and one line in the log."""
    return [each for each in rounds if (["open"], ["open"], "open") != (each["events"], each["logged"], each["state"])]


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


def expected_counters(each: dict[str, Any], threshold: int) -> dict[str, int]:
    """Exactly ``threshold`` failures count towards the trip; those under way at that instant are late (R09)."""
    none = dict.fromkeys(("successes", "ignored", "probes", "closes"), 0)
    late = each["failed"] - threshold
    return none | {"failures": each["failed"], "rejections": each["rejected"], "late": late, "trips": 1}


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
