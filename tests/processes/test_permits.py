"""Permits in the hand of a process that forks or dies."""

import permit_scenes
from team import Team


def test_a_probes_permit_stays_with_the_process_that_took_it(spawned: Team, host: str) -> None:
    """R11: what a forked child says of it is late, and dropping the copy neither frees the seat nor warns."""
    seen = spawned.one(permit_scenes.fork_with_a_permit, host)
    assert ("half-open", ("half-open", 0)) == (seen["settled"], seen["dropped"])
    assert ("half-open", "closed", 1) == (seen["others"], seen["after"], seen["late_outcomes"])


def test_a_check_sees_that_a_prober_is_dead(spawned: Team, host: str) -> None:
    """R11: it passes where a call would take the dead prober's permit over, and takes nothing itself."""
    seen = spawned.one(permit_scenes.die_with_a_permit, host)
    assert {"check": "done", "changed": False, "probes": 1, "call": "done", "state": "closed"} == seen
