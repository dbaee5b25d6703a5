"""While a fuse is half-open all processes together have as many probes as the settings say; a dead one costs little."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from caller import obey
from racy import RacyRig
from tasks import probe
from team import Team, Worker
from workers import Rig

ROUNDS = 100
ASKERS = 6
RESET = 10.0
PROBE = 4.0
SETTINGS = {"threshold": 1, "reset_timeout": RESET, "probe_timeout": PROBE}
"""For processes on clocks of their own, which the test moves."""
SLACK = 30
"""Seconds that a busy machine may keep a process from running."""


def without_probes(reports: list[list[dict[str, Any]]], probes: int) -> list[list[str]]:
    """What was said to each process, in rounds in which not exactly ``probes`` of them were admitted."""
    rounds = [[report["word"] for report in own] for own in zip(*reports, strict=True)]
    return [words for words in rounds if words.count("admitted") != probes]


def events_of(reports: list[list[dict[str, Any]]]) -> list[list[str]]:
    """The events of all processes, round by round."""
    return [sorted(word for report in own for word in report["events"]) for own in zip(*reports, strict=True)]


@pytest.mark.parametrize(("outcome", "after"), [("success", "closed"), ("failure", "open"), ("cancelled", "half-open")])
def test_one_process_of_many_that_ask_at_once_gets_the_probe(team: Team, host: str, outcome: str, after: str) -> None:
    """R06, R07, R08, R10: one is admitted, all others are rejected while it is under way; one event of each change."""
    rig = functools.partial(Rig, host, threshold=5, reset_timeout=0.002, probe_timeout=60)
    reports = team.run(ASKERS, probe, rig, ROUNDS, outcome)
    assert [] == without_probes(reports, 1)
    assert {after} == {report["state"] for own in reports for report in own}
    events = ["half-open"] if after == "half-open" else sorted([after, "half-open"])
    assert [events] * ROUNDS == events_of(reports)


def test_as_many_probes_pass_as_the_settings_allow(forked: Team, host: str) -> None:
    """R06, R07: with three probes and a success threshold of three, the third success closes the fuse, once."""
    rig = functools.partial(
        Rig, host, threshold=5, reset_timeout=0.002, probe_timeout=60, probes=3, success_threshold=3
    )
    reports = forked.run(ASKERS, probe, rig, ROUNDS, "success")
    assert [] == without_probes(reports, 3)
    assert [["closed", "half-open"]] * ROUNDS == events_of(reports)


def test_a_probe_that_is_looked_for_and_then_taken_is_found_out(forked: Team, tmp_path: Path) -> None:
    """Control: the same check sees permits that are given twice between looking and storing."""
    rig = functools.partial(RacyRig, tmp_path / "words", 5)
    assert any(without_probes(forked.run(ASKERS, probe, rig, ROUNDS, "success"), 1) for _ in range(10))


def callers(team: Team, host: str, **settings: Any) -> list[Worker]:
    """Processes that do as they are told, with a fuse that has been tripped and is due for a probe."""
    workers = team.start(4, obey, host, SETTINGS | settings, True)
    assert ["ready"] * 4 == [worker.hear() for worker in workers]
    assert "failed" == workers[0].ask("call", "failure")
    advance(workers, RESET)
    return workers


def advance(workers: list[Worker], seconds: float) -> None:
    """Moves the clock of every process."""
    for worker in workers:
        worker.ask("advance", seconds)


LOSSES: dict[str, Callable[[Worker], None]] = {
    "unburied": Worker.kill_unburied,  # dead, but its parent has not waited for it
    "stopped": Worker.stop,  # not dead, but as good as
    "buried": Worker.kill,  # certainly dead: nobody has its pid
}


def admitted_after_a_loss(workers: list[Worker], loss: str, seconds: float) -> int:
    """How many of the others get a permit ``seconds`` after a process was lost in the middle of its probe."""
    prober, *others = workers
    assert "admitted" == prober.ask("begin", "probe")
    assert ["half-open"] * 3 == [other.ask("begin", "mine") for other in others]
    LOSSES[loss](prober)
    if seconds:
        advance(others, seconds)
    return [other.ask("begin", "mine") for other in others].count("admitted")


def test_nobody_probes_before_the_reset_timeout(team: Team, host: str) -> None:
    """R05, R06: the timer is the host's, and every process is told the same."""
    workers = callers(team, host)
    assert "failed" == workers[0].ask("call", "failure")
    advance(workers, RESET - 1)
    assert ["open"] * 4 == [worker.ask("begin", "mine") for worker in workers]
    assert {1.0} == {round(worker.ask("retry_after"), 3) for worker in workers}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_probe_is_replaced_by_exactly_one(team: Team, host: str, loss: str) -> None:
    """R11: once the probe timeout is over one other process gets the permit, and its success closes the fuse."""
    _, other, *rest = workers = callers(team, host)
    assert 1 == admitted_after_a_loss(workers, loss, PROBE)
    assert "done" == other.ask("end", "mine", "success")
    assert ["done"] * 2 == [worker.ask("call", "success") for worker in rest]
    counters = other.ask("counters")
    assert (2, 1, 0) == (counters["probes"], counters["closes"], counters["late_outcomes"])


@pytest.mark.parametrize("loss", ["unburied", "stopped"])
def test_a_lost_probe_costs_the_probe_timeout_and_no_more(forked: Team, host: str, loss: str) -> None:
    """R11: a microsecond less and the lease still stands; and a rejected call is told how long that is."""
    _, other, *rest = workers = callers(forked, host)
    assert 0 == admitted_after_a_loss(workers, loss, PROBE - 0.5)
    assert pytest.approx(0.5, abs=1e-5) == other.ask("retry_after")
    advance([other, *rest], 0.5 - 1e-6)
    assert "half-open" == other.ask("begin", "mine")
    advance([other, *rest], 1e-6)
    assert ["admitted", "half-open", "half-open"] == [worker.ask("begin", "mine") for worker in (other, *rest)]


def test_a_probe_whose_death_is_certain_costs_nothing(team: Team, host: str) -> None:
    """R11: where nobody has the prober's pid any more, the next call takes its permit over, and only that call."""
    assert 1 == admitted_after_a_loss(callers(team, host), "buried", 0)


@pytest.mark.parametrize("loss", ["unburied", "stopped"])
def test_a_prober_that_never_gives_back_is_found_out(forked: Team, host: str, loss: str) -> None:
    """Control: with a lease that does not end, the same check sees that nobody is admitted."""
    workers = callers(forked, host, probe_timeout=7 * 24 * 3600)
    assert 0 == admitted_after_a_loss(workers, loss, PROBE)


def test_a_prober_that_was_stopped_and_goes_on_finds_its_permit_gone(forked: Team, host: str) -> None:
    """R09, R11: what it finds out is late and neither closes the fuse nor ends the probe that has taken over."""
    prober, other, *rest = workers = callers(forked, host)
    assert 1 == admitted_after_a_loss(workers, "stopped", PROBE)
    prober.go_on()
    assert "done" == prober.ask("end", "probe", "success")
    assert {"half-open"} == {worker.ask("begin", "another") for worker in workers}
    assert 1 == other.ask("counters")["late_outcomes"]
    assert "failed" == other.ask("end", "mine", "failure")
    assert "open" == rest[0].ask("state")[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_probe_after_probe_may_be_lost(forked: Team, host: str, loss: str) -> None:
    """R11: each lost prober costs one probe timeout at most, whoever and however many they are."""
    workers = callers(forked, host)
    for _ in range(3):
        prober = workers.pop()
        assert "admitted" == prober.ask("begin", "mine")
        assert {"half-open"} == {worker.ask("begin", "mine") for worker in workers}
        LOSSES[loss](prober)
        advance(workers, PROBE)
    assert "done" == workers[0].ask("call", "success")
    assert "closed" == workers[0].ask("state")[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_on_the_host_clock_a_lost_probe_costs_at_most_its_timeout(team: Team, host: str, loss: str) -> None:
    """R11, R14: the same in real time, measured on the clock that all processes share."""
    prober, other, *rest = _on_the_host_clock(team, host)
    assert "failed" == other.ask("call", "failure")
    opened = other.ask("state")[1]
    begun, admitted = prober.ask("begin_when_admitted", "probe")
    assert admitted >= opened + 0.1 - 0.001
    LOSSES[loss](prober)
    asked, taken_over = other.ask("begin_when_admitted", "mine")
    assert asked < admitted + 0.4 + SLACK
    if loss != "buried":
        assert taken_over >= begun + 0.4
    assert ["half-open"] * 2 == [worker.ask("begin", "mine") for worker in rest]
    assert "done" == other.ask("end", "mine", "success")
    assert {"closed"} == {worker.ask("state")[0] for worker in (other, *rest)}


def _on_the_host_clock(team: Team, host: str) -> list[Worker]:
    """Processes of which the first takes a permit for 0.4 seconds, and the others for long enough."""
    settings = {"threshold": 1, "reset_timeout": 0.1}
    prober = team.start(1, obey, host, settings | {"probe_timeout": 0.4}, False)
    others = team.start(3, obey, host, settings | {"probe_timeout": 60}, False)
    assert ["ready"] * 4 == [worker.hear() for worker in prober + others]
    return prober + others
