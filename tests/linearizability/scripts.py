"""What the policy machine is taken through where a wrong reference must show."""

from collections.abc import Callable
from typing import Any, NamedTuple

from policy_machine import PolicyMachine
from policy_reference import PolicyFuse
from rules import Rate, Rules

from fuseboard import State

PLAIN = Rules(
    threshold=1,
    window=1000,
    reset_timeout=500,
    probes=1,
    success_threshold=1,
    probe_timeout=1000,
    clear_on_success=True,
)
FAILURES = Rate(0.5, 3, window=1000)
SLOW = Rate(1.0, 3, window=1000, slow_after=500)
DB = "db"


class Script:
    """Steps of the machine, one after the other, each followed by the comparison of all that can be seen."""

    def __init__(self, machine: PolicyMachine, policy: Rules) -> None:
        self.machine = machine
        machine.begin_run(chosen=((policy, policy),) * 2, size=2)

    def __call__(self, outcome: str, took: int = 0, process: int = 0) -> None:
        """A call, if it may be made."""
        self.machine.call(process, DB, 0, outcome, took)
        self.machine.all_see_the_same()

    def begin(self) -> None:
        """A call that goes on."""
        self.machine.begin(0, DB, 0, "block")

    def wait(self, milliseconds: int) -> None:
        """Time passes."""
        self.machine.advance(milliseconds)
        self.machine.all_see_the_same()

    def open_and_probe(self, outcome: str, took: int = 0) -> None:
        """The fuse opens, and a probe ends."""
        self("demands")
        self.wait(500)
        self(outcome, took)


class Case(NamedTuple):
    """A fault, breakers of a policy, and what they have to go through."""

    fuse: type[PolicyFuse]
    changes: dict[str, Any]
    script: Callable[[Script], object]


def calls(*calls: tuple[Any, ...]) -> Callable[[Script], object]:
    """Calls, one after the other."""
    return lambda script: [script(*call) for call in calls]


def closes_again(script: Script) -> None:
    """A probe fails, the next one succeeds."""
    script.open_and_probe("failures")
    script.wait(1000)
    script("successes")


def closed_for_long(script: Script) -> None:
    """The same, and a failure when the failed probe is forgotten."""
    closes_again(script)
    script.wait(2000)
    script("failures")


def stays_half_open(script: Script) -> None:
    """A probe is under way for too long, and a call asks."""
    script("failures")
    script.wait(500)
    script.begin()
    script.wait(1000)
    script("successes")


def climbs(script: Script) -> None:
    """Calls all along a ramp."""
    script.open_and_probe("successes")
    for turn in range(8):
        script.wait(300)
        script("successes", 0, turn)


def removes(script: Script) -> None:
    """A fuse is removed that had a failed probe."""
    closes_again(script)
    script.machine.remove(0, DB)


def waits_between(first: str, milliseconds: int, *then: str) -> Callable[[Script], object]:
    """A call, some time, and others."""
    return lambda script: [script(first), script.wait(milliseconds), *map(script, then)]


def resets(script: Script) -> None:
    """A failure on either side of a reset."""
    script("failures")
    script.machine.command(0, DB, 0, State.CLOSED)
    script("failures")


def removes_at_once(script: Script) -> None:
    """A fuse is removed that opened and closed."""
    script("failures")
    script.wait(500)
    script("successes")
    script.machine.remove(0, DB)
    script("successes")


def returns_a_demand(script: Script) -> None:
    """A coroutine returns what demands the trip."""
    script.machine.begin(0, DB, 0, "coroutine")
    script.machine.end(0, "demands 1300 ms")
    script.machine.all_see_the_same()
