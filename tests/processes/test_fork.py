"""A process that forks, at any moment and with anything open."""

import fork_scenes
import pytest
from team import Team


def test_workers_forked_from_a_preloading_parent_share_its_breaker(spawned: Team, host: str) -> None:
    """R03: gunicorn's --preload; four failures in four workers open the fuse for all, and one of them is told."""
    seen = spawned.one(fork_scenes.preload, host)
    closed, opening, rejected = ("failed", []), ("failed", ["open"]), ("open", [])
    assert [closed, closed, closed, opening, rejected, rejected] == seen["words"]
    assert ("open", [], "open") == (seen["parent"], seen["events"], seen["state"])


def test_a_breaker_made_before_the_fork_finds_the_default_store_after_it(spawned: Team, host: str) -> None:
    """Nothing is opened when a breaker is made; each child opens the host's table at its first call."""
    seen = spawned.one(fork_scenes.preload_default, host)
    assert {"words": ["failed", "failed", "open"], "parent": "open", "name": host} == seen


def test_the_default_store_is_one_for_parent_children_and_grandchildren(spawned: Team, host: str) -> None:
    """Contract: a child goes on with the shared table."""
    assert [(2, 3, True), (4, 5, True), 6] == spawned.one(fork_scenes.default_in_children, host)


def test_a_private_store_is_copied(spawned: Team, host: str) -> None:
    """Contract: after fork neither side sees what the other does to a private store."""
    assert {"child": [2, 3, 4, 5, 6], "parent": 2} == spawned.one(fork_scenes.private_is_copied, host)


@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_a_child_forked_inside_a_probe_leaves_it_to_its_parent(spawned: Team, host: str, outcome: str) -> None:
    """R06, R11: the child's outcome is late, the permit stays out, and the parent's success closes the fuse."""
    seen = spawned.one(fork_scenes.fork_in_a_probe, host, outcome)
    assert ("half-open", "half-open") == seen["child"]
    assert ("half-open", "half-open") == (seen["while"], seen["others"])
    assert ("closed", 1) == (seen["after"], seen["late_outcomes"])


def test_a_child_forked_inside_a_guarded_function_leaves_the_probe_to_its_parent(spawned: Team, host: str) -> None:
    """R06, R17: a function's probe is settled by the parent's return; a generator's stays out, as it goes on."""
    assert {"function": "closed", "generator": "half-open"} == spawned.one(fork_scenes.fork_in_a_guarded_function, host)


def test_a_process_that_exits_in_a_closed_call_records_nothing(spawned: Team, host: str) -> None:
    """T07: ``os._exit`` runs no clean-up, and none is needed."""
    seen = spawned.one(fork_scenes.exit_in_a_call, host, False)
    assert {"word": "done", "state": "closed", "probes": 0, "failures": 0} == seen


def test_a_process_that_exits_in_a_probe_is_replaced(spawned: Team, host: str) -> None:
    """R11: its parent has waited for it, so its death is certain and the next call is the probe."""
    seen = spawned.one(fork_scenes.exit_in_a_call, host, True)
    assert {"word": "done", "state": "closed", "probes": 2, "failures": 0} == seen


def test_a_program_executed_by_a_child_finds_the_table_by_its_name(spawned: Team, host: str) -> None:
    """T11: it inherits no descriptor of the table, and opens the same one."""
    assert "open 0" == spawned.one(fork_scenes.execute, host)


def test_a_process_that_executes_a_program_in_a_probe_costs_its_lease(spawned: Team, host: str) -> None:
    """R11: its pid lives on, so its death is not certain; at the deadline another takes over."""
    seen = spawned.one(fork_scenes.execute_in_a_probe, host, 1.5)
    assert {"first": "half-open", "then": "done", "state": "closed", "late_outcomes": 0} == seen


def test_children_of_a_process_with_busy_threads_are_sound(spawned: Team, host: str) -> None:
    """Goal 2: whatever another thread was in the middle of at the fork, the child can do everything."""
    seen = spawned.one(fork_scenes.fork_with_threads, host, 40)
    assert {("done", "failed", 1, True)} == set(seen["answers"])
    assert [] == seen["faults"]


def test_a_guarded_function_can_be_sent_to_another_process(
    spawned: Team, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal 3: it is sent by name, as a pool of processes does, and is guarded by the host's fuse where it arrives."""
    monkeypatch.setenv("FUSEBOARD_STORE", host)
    words = [spawned.one(fork_scenes.call_it, fork_scenes.charge, amount) for amount in (7, -1, 7)]
    assert ["done", "failed", "open"] == words
