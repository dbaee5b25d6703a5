"""Policies, open times, probes and ramps of a fuse that several processes share."""

import functools

import pytest
from caller import obey
from rounds import rounds_of, without_one_trip
from tasks import trip
from team import Team, Worker
from workers import LONG, Rig

from fuseboard import FailureRate

ROUNDS = 200
RESET = 10.0
PROBER = {"threshold": 1, "reset_timeout": RESET}


def callers(team: Team, host: str, *settings: dict[str, object]) -> list[Worker]:
    """A process for each of these settings, which does as it is told."""
    workers = [worker for each in settings for worker in team.start(1, obey, host, each, True)]
    assert ["ready"] * len(workers) == [worker.hear() for worker in workers]
    return workers


def advance(workers: list[Worker], seconds: float) -> None:
    """Moves all their clocks."""
    for worker in workers:
        worker.ask("advance", seconds)


@pytest.mark.parametrize("over", [{"window": LONG}, {"calls": 100}], ids=["over time", "over calls"])
def test_processes_whose_calls_reach_a_rate_at_once_trip_the_fuse_exactly_once(
    team: Team, host: str, over: dict[str, int]
) -> None:
    """R19: with one bad call each, the last of ``min_calls`` is the last chance."""
    rig = functools.partial(Rig, host, policy=FailureRate(1.0, min_calls=6, **over))
    rounds = rounds_of(team.run(6, trip, rig, ROUNDS, 1))
    assert [] == without_one_trip(rounds)


@pytest.mark.parametrize("over", [{"window": LONG}, {"calls": 100}], ids=["over time", "over calls"])
def test_one_call_less_than_a_rate_needs_trips_nothing(forked: Team, host: str, over: dict[str, int]) -> None:
    """R19: so the rate is of the whole host's calls, and of this round's only."""
    rig = functools.partial(Rig, host, policy=FailureRate(1.0, min_calls=7, **over))
    rounds = rounds_of(forked.run(6, trip, rig, ROUNDS, 1))
    assert [([], "closed")] * ROUNDS == [(each["events"], each["state"]) for each in rounds]


def test_a_failed_probe_makes_the_next_open_time_longer_for_all(team: Team, host: str) -> None:
    """R23: whichever process it was in."""
    both = mine, other = callers(team, host, *[PROBER | {"multiplier": 3.0, "max_reset_timeout": 600.0}] * 2)
    assert "failed" == mine.ask("call", "failure")
    advance(both, RESET)
    assert "failed" == mine.ask("call", "failure")
    assert 3 * RESET == pytest.approx(other.ask("retry_after"))
    advance(both, 3 * RESET)
    assert "done" == other.ask("call", "success")
    assert "closed" == mine.ask("state")[0]


def a_minute(_: BaseException) -> float:
    """What a server asks for."""
    return 60.0


def test_a_time_that_one_process_was_asked_for_holds_for_all(forked: Team, host: str) -> None:
    """R24: the others know nothing of the call that asked."""
    asked = PROBER | {"max_reset_timeout": 600.0}
    mine, other = callers(forked, host, asked | {"open_for": a_minute}, asked)
    assert "failed" == mine.ask("call", "failure")
    assert pytest.approx(60.0) == other.ask("retry_after")


def test_probes_of_two_processes_are_judged_together(team: Team, host: str) -> None:
    """R25: two may fail, one in each; a third does not."""
    settings = PROBER | {"probes": 3, "success_threshold": 3, "probe_failures": 2}
    both = mine, other = callers(team, host, settings, settings)
    assert "failed" == mine.ask("call", "failure")
    advance(both, RESET)
    assert ["admitted"] * 3 == [mine.ask("begin", "a"), other.ask("begin", "b"), other.ask("begin", "c")]
    mine.ask("end", "a", "failure")
    assert "half-open" == other.ask("state")[0]
    other.ask("end", "b", "failure")
    assert "open" == mine.ask("state")[0]
    other.ask("end", "c", "success")
    assert "open" == mine.ask("state")[0]


def test_a_fuse_whose_prober_was_killed_is_half_open_for_no_longer_than_it_may(forked: Team, host: str) -> None:
    """R25: the longest stay goes by the table's clock, not by the prober's."""
    settings = PROBER | {"probe_timeout": 3_600.0, "half_open_timeout": 60.0}
    both = mine, other = callers(forked, host, settings, settings)
    assert "failed" == other.ask("call", "failure")
    advance(both, RESET)
    assert "admitted" == mine.ask("begin", "probe")
    mine.kill_unburied()
    assert "half-open" == other.ask("call", "success")
    other.ask("advance", 60.0)
    assert "open" == other.ask("call", "success")
    other.ask("advance", RESET)
    assert "done" == other.ask("call", "success")


def test_a_ramp_is_one_for_all_processes(team: Team, host: str) -> None:
    """R26: the share is of the calls of all, its time is one, and it ends for all at once."""
    settings = PROBER | {"ramp": 100.0, "ramp_from": 0.25}
    both = mine, other = callers(team, host, settings, settings)
    assert "failed" == mine.ask("call", "failure")
    advance(both, RESET)
    assert "done" == mine.ask("call", "success")
    assert ["ramping"] * 2 == [worker.ask("state")[0] for worker in both]

    def passed(calls: int) -> int:
        return [both[number % 2].ask("call", "success") for number in range(calls)].count("done")

    assert 10 == pytest.approx(passed(40), abs=1)
    advance(both, 50.0)
    assert 25 == pytest.approx(passed(40), abs=1)
    advance(both, 50.0)
    assert "done" == other.ask("call", "success")
    assert "closed" == mine.ask("state")[0]


def test_a_ramp_survives_its_process(forked: Team, host: str) -> None:
    """R26: it is the fuse's; a failure in another process ends it."""
    settings = PROBER | {"ramp": 100.0, "ramp_from": 1.0}
    both = mine, other = callers(forked, host, settings, settings)
    assert "failed" == mine.ask("call", "failure")
    advance(both, RESET)
    assert "done" == mine.ask("call", "success")
    mine.kill()
    assert "ramping" == other.ask("state")[0]
    assert "failed" == other.ask("call", "failure")
    assert "open" == other.ask("state")[0]


def test_a_shadow_watches_the_fuse_that_others_obey(team: Team, host: str) -> None:
    """R27: what it lets pass counts for nothing, and is counted as rejected."""
    real, shadow = callers(team, host, PROBER, PROBER | {"shadow": True})
    assert "failed" == shadow.ask("call", "failure")
    assert "open" == real.ask("call", "success")
    assert "done" == shadow.ask("call", "success")
    counters = real.ask("counters")
    assert (2, 0) == (counters["rejections"], counters["successes"])
