"""A process that is suspended in the middle of its probe and wakes after its lease ran out, on the host's own clock."""

import pytest
from caller import obey
from team import Team, Worker

SETTINGS = {"threshold": 1, "reset_timeout": 0.05}
LEASE = 0.3


def suspended_prober(team: Team, host: str) -> tuple[Worker, Worker]:
    """A process that was stopped in its probe, whose lease is short; and another, whose lease is long."""
    (prober,) = team.start(1, obey, host, SETTINGS | {"probe_timeout": LEASE}, False)
    (other,) = team.start(1, obey, host, SETTINGS | {"probe_timeout": 60}, False)
    assert ["ready"] * 2 == [prober.hear(), other.hear()]
    assert "failed" == prober.ask("call", "failure")
    prober.ask("begin_when_admitted", "probe")
    prober.stop()
    return prober, other


@pytest.mark.parametrize(("others", "state"), [("success", "closed"), ("failure", "open")])
@pytest.mark.parametrize("own", ["success", "failure", "cancelled"])
def test_the_word_of_a_prober_that_wakes_too_late_changes_nothing(
    forked: Team, host: str, own: str, others: str, state: str
) -> None:
    """R09, R11: another's probe has decided meanwhile; the sleeper's outcome is late, whatever it is."""
    prober, other = suspended_prober(forked, host)
    other.ask("begin_when_admitted", "mine")
    assert {"success": "done", "failure": "failed"}[others] == other.ask("end", "mine", others)
    decided = other.ask("state")
    assert state == decided[0]
    prober.go_on()
    assert {"success": "done"}.get(own, own.replace("failure", "failed")) == prober.ask("end", "probe", own)
    assert decided == other.ask("state")
    assert (0, 1) == (other.ask("window"), other.ask("counters")["late_outcomes"])


@pytest.mark.parametrize(("own", "state"), [("success", "closed"), ("failure", "open")])
def test_a_prober_that_wakes_late_still_decides_if_nobody_else_asked(
    forked: Team, host: str, own: str, state: str
) -> None:
    """R09: a lease that ran out and was not taken over is still its holder's. Control: the outcome does matter."""
    prober, other = suspended_prober(forked, host)
    begun = other.ask("raw", "now")
    while other.ask("raw", "now") < begun + LEASE:
        pass
    assert "half-open" == other.ask("state")[0]
    prober.go_on()
    prober.ask("end", "probe", own)
    assert (state, 0) == (other.ask("state")[0], other.ask("counters")["late_outcomes"])
