"""The machine of :mod:`host_machine`, with breakers that have policies, and fuses that are removed (R19 to R28)."""

import copy
from typing import Any

from host_machine import FUSES, HostMachine, fuses, indexes, numbers, seconds
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from policy_actor import PolicyActor
from policy_host import PolicyHost
from reference import Call, Rejected
from rules import ENDINGS, Rules, arguments_of, pairs

from fuseboard import State

EXACT_CALLS = 14
MINUTE = 60_000
endings = st.sampled_from(["successes"] * 5 + [*ENDINGS])
"""Of calls. Left to chance, so few would succeed that no fuse came back."""
calls = st.tuples(endings, st.sampled_from([0, 0, 500, 1000]))
Seen = dict[str, dict[str, tuple[Any, ...]]]


class PolicyMachine(HostMachine):
    """Two fuses, two breakers of their own policies on each in every process."""

    host_class = PolicyHost
    arguments_of = staticmethod(arguments_of)
    reference: PolicyHost
    policies: dict[str, tuple[Rules, Rules]]

    @initialize(chosen=st.tuples(*[pairs()] * len(FUSES)), size=st.integers(2, 3))
    def begin_run(self, chosen: tuple[tuple[Rules, Rules], ...], size: int) -> None:
        """R15: two breakers share each fuse, each with its own policy."""
        self.policies = dict(zip(FUSES, chosen, strict=True))
        for _ in range(size):
            self.start()

    @rule(index=indexes, fuse=fuses, number=numbers, way=st.sampled_from([*PolicyActor.ways]))
    def begin(self, index: int, fuse: str, number: int, way: str) -> None:
        """R26, R27: a call asks to be made; a shadow's goes on though it is rejected, and counts for nothing."""
        owner = [*self.living][index % len(self.living)]
        policy = self.policies[fuse][number]
        expected = self.reference.fuse(fuse).ask(owner, policy, self.now)
        call = next(self.ids)
        rejection = self.living[owner].ask("begin", call, fuse, number, way)
        if isinstance(expected, Rejected) and not policy.shadow:
            assert rejection is not None, f"admitted, where it should be {expected}"
            assert (expected.state.value, seconds(expected.retry_after), seconds(expected.lease)) == rejection
        else:
            assert rejection is None, f"rejected: {rejection}"
            begun = expected if isinstance(expected, Call) else Call(-1)
            self.under_way.append((call, fuse, number, owner, begun))

    @precondition(lambda self: self.under_way)
    @rule(index=indexes, outcome=endings)
    def end(self, index: int, outcome: str) -> None:
        """R19 to R24: any of the calls under way ends."""
        call, fuse, number, owner, expected = self.under_way.pop(index % len(self.under_way))
        self.reference.fuse(fuse).end(expected, self.policies[fuse][number], ENDINGS[outcome], self.now)
        self.living[owner].ask("end", call, outcome)

    @rule(index=indexes, fuse=fuses, number=numbers, calls=st.lists(calls, min_size=2, max_size=8), fresh=st.booleans())
    def burst(self, *, index: int, fuse: str, number: int, calls: list[tuple[str, int]], fresh: bool) -> None:
        """Calls one after the other, in one process and the next, perhaps of a fuse that was just reset."""
        if fresh:
            self.command(index, fuse, number, State.CLOSED)
        for turn, (outcome, took) in enumerate(calls):
            self.call(index + turn, fuse, number, outcome, took)

    @rule(index=indexes, fuse=fuses, number=numbers, calls=st.lists(calls, min_size=1, max_size=4))
    def recover(self, *, index: int, fuse: str, number: int, calls: list[tuple[str, int]]) -> None:
        """R23 to R26: whenever the fuse is open or ramping, time passes until it is not, and a call asks and ends."""
        found, policy = self.reference.fuse(fuse), self.policies[fuse][number]
        for turn, (outcome, took) in enumerate(calls):
            if found.state is State.OPEN:
                left = found.stays_open_us(policy) - found.age_us(self.now)
                self.advance(min(5000, max(0, left // 1000)) + 1)
            elif found.state is State.RAMPING:
                self.advance(1 + policy.ramp // 2)
            self.call(index + turn, fuse, number, outcome, took)

    def call(self, index: int, fuse: str, number: int, outcome: str, took: int = 0) -> None:
        """A call from its beginning to its end, if it may be made."""
        under_way = len(self.under_way)
        self.begin(index, fuse, number, "permit")
        if len(self.under_way) > under_way:
            if took:
                self.advance(took)
            self.end(under_way, outcome)

    @rule(index=indexes, fuse=fuses, number=numbers)
    def check(self, index: int, fuse: str, number: int) -> None:
        """R06: what a call would be told, without one."""
        asked = copy.deepcopy(self.reference.fuse(fuse))
        policy = self.policies[fuse][number]
        is_overdue = asked.is_overdue(policy, self.now)
        answer = asked.ask(-1, policy, self.now)
        rejection = self.ask(index, "check", fuse, number)
        if isinstance(answer, Call) or policy.shadow:
            assert rejection is None
        elif is_overdue:  # how long the fuse would be open is not known before it is
            assert answer.state.value == rejection[0]
        else:
            assert (answer.state.value, seconds(answer.retry_after), seconds(answer.lease)) == rejection

    @rule(index=indexes)
    def reset_all(self, index: int) -> None:
        """Every fuse is forgotten."""
        self.reference.reset_all_at(self.now)
        self.ask(index, "raw", "reset_all")

    @rule(index=indexes, fuse=fuses)
    def remove(self, index: int, fuse: str) -> None:
        """R28: a fuse is removed, if it is idle. Where its next place left off counting calls nobody says."""
        if all(rate.calls <= EXACT_CALLS for policy in self.policies[fuse] for rate in policy.rates):
            expected = self.reference.remove(fuse, self.now)
            assert expected == self.ask(index, "raw", "remove", fuse)
            if expected:
                self.generations.pop(fuse, None)
                # Who looks next gets the name a slot. Whether the slot had a claim shows in this instant alone.
                self.ask(index, "observe")
                self.advance(1)

    @rule(minutes=st.sampled_from([5, 10, 60, 180, 7 * 24 * 60 + 1]))
    def wait_for_long(self, minutes: int) -> None:
        """R23, R28: so long that failed probes are taken back, and fuses are idle, failures in their windows or not."""
        self.advance(minutes * MINUTE)

    def _compare(self, seen: Seen) -> None:
        super()._compare(seen)
        assert (self.reference.dropped,) == seen["dropped"]["all"]
        for name in FUSES:
            fuse = self.reference.fuse(name)
            expected = tuple(
                tuple(fuse.rate_count(rate, self.now) for rate in policy.rates) for policy in self.policies[name]
            )
            assert expected == seen["rates"][name]
            if fuse.known:
                assert (fuse.failed_probes,) == seen["failed_probes"][name]

    def _compare_journal(self, name: str, told: tuple[tuple[Any, ...], ...]) -> None:
        super()._compare_journal(name, tuple((before, after, at) for before, after, at, _ in told))
        assert self.reference.fuse(name).causes == [cause for *_, cause in told]
        self.pool.causes.update(self.reference.fuse(name).causes)

    def _compare_generation(self, name: str, model: int, real: int) -> None:
        """Each is the stamp of its change of state, later by a microsecond at least than the one before."""
        super()._compare_generation(name, model, real)
        assert self.reference.fuse(name).stamp == real
