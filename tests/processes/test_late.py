"""A call that ends in another generation than it began in changes nothing, whichever process it is in."""

from collections.abc import Callable
from typing import Any

import pytest
from caller import obey
from team import Team, Worker

RESET = 10.0
PROBE = 4.0
SETTINGS = {"threshold": 3, "window": 60, "reset_timeout": RESET, "probe_timeout": PROBE}


def callers(team: Team, host: str) -> list[Worker]:
    """Two processes that do as they are told."""
    workers = team.start(2, obey, host, SETTINGS, True)
    assert ["ready"] * 2 == [worker.hear() for worker in workers]
    return workers


def trip(other: Worker) -> None:
    """Fails until the fuse opens."""
    assert ["failed"] * 3 == [other.ask("call", "failure") for _ in range(3)]
    assert "open" == other.ask("state")[0]


def trip_and_begin_probe(other: Worker) -> None:
    """The fuse is half-open, with a probe under way."""
    trip(other)
    other.ask("advance", RESET)
    assert "admitted" == other.ask("begin", "probe")


def trip_and_close(other: Worker) -> None:
    """The fuse has been open and is closed again."""
    trip(other)
    other.ask("advance", RESET)
    assert "done" == other.ask("call", "success")


def isolate(other: Worker) -> None:
    """An operator rejects every call."""
    other.ask("command", "isolate")


def disable(other: Worker) -> None:
    """An operator admits every call."""
    other.ask("command", "disable")


def fail_and_reset(other: Worker) -> None:
    """An operator has closed the fuse, which was closed before."""
    assert "failed" == other.ask("call", "failure")
    other.ask("command", "reset")


def reset_and_fail(other: Worker) -> None:
    """The fuse is of a new generation, and its window holds a failure."""
    other.ask("command", "reset")
    assert "failed" == other.ask("call", "failure")


def set_closed(other: Worker) -> None:
    """A raw operation has closed the fuse, which was closed before."""
    other.ask("raw", "set_closed", "payments")


MEANWHILE = [
    trip,
    trip_and_begin_probe,
    trip_and_close,
    isolate,
    disable,
    fail_and_reset,
    reset_and_fail,
    set_closed,
]


def facts(worker: Worker) -> tuple[Any, ...]:
    """Everything that a late outcome must not change."""
    counters = worker.ask("counters")
    return worker.ask("state"), worker.ask("window"), counters["trips"], counters["closes"]


@pytest.mark.parametrize("outcome", ["success", "failure"])
@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda event: event.__name__)
def test_a_call_begun_before_a_change_of_state_changes_nothing_after_it(
    forked: Team, host: str, meanwhile: Callable[[Worker], None], outcome: str
) -> None:
    """R09: state, time, window and timer stay; the outcome is counted as what it was, and as late."""
    mine, other = callers(forked, host)
    assert "admitted" == mine.ask("begin", "old")
    meanwhile(other)
    before, counted = facts(other), other.ask("counters")
    assert {"success": "done", "failure": "failed"}[outcome] == mine.ask("end", "old", outcome)
    assert before == facts(other)
    kind = {"success": "successes", "failure": "failures"}[outcome]
    assert counted | {kind: counted[kind] + 1, "late_outcomes": counted["late_outcomes"] + 1} == other.ask("counters")


def test_calls_begun_before_a_change_change_nothing_in_spawned_processes(spawned: Team, host: str) -> None:
    """R09: also where the processes have nothing in common but the table."""
    mine, other = callers(spawned, host)
    for outcome in ("success", "failure"):
        assert "admitted" == mine.ask("begin", outcome)
    trip(other)
    before = facts(other)
    for outcome in ("success", "failure"):
        mine.ask("end", outcome, outcome)
    assert before == facts(other)
    assert 2 == other.ask("counters")["late_outcomes"]


@pytest.mark.parametrize("outcome", ["success", "failure", "cancelled"])
def test_a_probe_whose_lease_was_taken_over_decides_nothing(forked: Team, host: str, outcome: str) -> None:
    """R09, R11: past its deadline a probe's permit may be taken over by another process; its own outcome is late."""
    mine, other = callers(forked, host)
    trip_and_begin_probe(mine)
    other.ask("advance", RESET + PROBE)
    assert "admitted" == other.ask("begin", "probe")
    before = facts(other)
    mine.ask("end", "probe", outcome)
    assert before == facts(other)
    assert "half-open" == mine.ask("begin", "another")
    assert 1 == other.ask("counters")["late_outcomes"]
    assert "done" == other.ask("end", "probe", "success")
    assert "closed" == mine.ask("state")[0]


def test_a_probe_of_an_older_half_open_state_decides_nothing(forked: Team, host: str) -> None:
    """R09: it neither closes the fuse nor gives away the permit of the probe that is under way now."""
    mine, other = callers(forked, host)
    trip_and_begin_probe(mine)
    other.ask("command", "reset")
    trip(other)
    other.ask("advance", 2 * RESET)
    assert "admitted" == other.ask("begin", "probe")
    before = facts(other)
    assert "done" == mine.ask("end", "probe", "success")
    assert before == facts(other)
    assert "half-open" == mine.ask("begin", "another")


def test_old_failures_do_not_help_to_trip_the_fuse_again(forked: Team, host: str) -> None:
    """R07, R09: after the fuse has closed its window is empty, and late failures do not go into it."""
    mine, other = callers(forked, host)
    for call in "abc":
        assert "admitted" == mine.ask("begin", call)
    trip_and_close(other)
    for call in "abc":
        assert "failed" == mine.ask("end", call, "failure")
    assert ["failed"] * 2 == [other.ask("call", "failure") for _ in range(2)]
    assert "closed" == other.ask("state")[0]
    assert "failed" == mine.ask("call", "failure")
    assert "open" == other.ask("state")[0]


def test_clearing_the_window_does_not_make_a_call_late(forked: Team, host: str) -> None:
    """R09: a generation ends with a change of state, not with a success."""
    mine, other = callers(forked, host)
    assert "admitted" == mine.ask("begin", "old")
    assert ["failed", "done"] == [other.ask("call", outcome) for outcome in ("failure", "success")]
    assert "failed" == mine.ask("end", "old", "failure")
    assert 1 == other.ask("window")
    assert 0 == other.ask("counters")["late_outcomes"]
