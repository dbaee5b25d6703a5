"""References of the machine of several processes, each wrong about one rule: negative controls."""

from host_reference import HostFuse
from reference import Call, Policy, Rejected

from fuseboard import State


class _NeverLate(HostFuse):
    """Without R09: an outcome counts, whenever its call began."""

    def is_late(self, call: Call) -> bool:
        return call.seat is not None and self.seats.get(call.seat) is not call


class _NeverExpires(HostFuse):
    """Without the window of R03."""

    def count(self, window: int, now: int) -> int:
        return super().count(window + now, now)


class _ClosesByItself(HostFuse):
    """Without R13: a raw success closes, as PhoenixMicro's does."""

    def record_success(self, now: int) -> None:
        super().record_success(now)
        if self.state is State.OPEN:
            self.move(State.CLOSED, now)


class _Unheld(HostFuse):
    """Without R12: a raw change of state undoes a manual override."""

    def set(self, state: State, now: int) -> None:
        self.move(state, now)


class _KeepsItsTimer(HostFuse):
    """Without R08: a probe that fails does not restart the timer."""

    def move(self, state: State, now: int) -> None:
        before, since = self.state, self.since
        super().move(state, now)
        if before is State.HALF_OPEN and state is State.OPEN:
            self.since = since


class _LeasesForEver(HostFuse):
    """Without R11: no lease runs out."""

    def _probe(self, policy: Policy, now: int) -> Call | Rejected:
        return super()._probe(policy, min(now, *(call.deadline - 1 for call in self.seats.values()), now))


class _Remembers(HostFuse):
    """With generations that begin again at ``reset_all``."""

    def forget(self) -> None:
        super().forget()
        self.generation = 0


class _SeatsOfTheDead(HostFuse):
    """Without the second half of R11: a dead prober's lease runs to its deadline."""

    def is_gone(self, _owner: int) -> bool:
        return False


class _SeatsForEver(HostFuse):
    """Without R11: a seat is never taken over."""

    def _probe(self, policy: Policy, now: int) -> Call | Rejected:
        for call in self.seats.values():
            call.deadline = max(call.deadline, now + 1)
        return super()._probe(policy, now)


class _SeatsOfTheLiving(HostFuse):
    """Takes over the probes of the living too."""

    def is_gone(self, _owner: int) -> bool:
        return True


class _EachHasItsOwnProbes(HostFuse):
    """Without "in every process" of R06: another process's probes do not count."""

    def ask(self, owner: int, policy: Policy, now: int) -> Call | Rejected:
        others = {seat: call for seat, call in self.seats.items() if self.owners[call] != owner}
        self.seats = {seat: call for seat, call in self.seats.items() if seat not in others}
        answer = super().ask(owner, policy, now)
        self.seats = others | self.seats
        return answer


class _OverridesStay(HostFuse):
    """Without "with ``for_`` one ends" of R12."""

    def command(self, state: State, now: int, _for: int | None = None) -> None:
        super().command(state, now)


class _OverridesEndByThemselves(HostFuse):
    """Without "by the first call after" of R12: a raw operation ends one too."""

    def record_success(self, now: int) -> None:
        if self.until is not None and now >= self.until:
            self.move(State.CLOSED, now)
        super().record_success(now)


class _TellsNoResets(HostFuse):
    """Without the part of T14 that ``reset_all`` is an event."""

    def forget(self) -> None:
        told = len(self.told)
        super().forget()
        del self.told[told:]


class _TellsEachGeneration(HostFuse):
    """Tells of generations that bring no other state."""

    def tell(self, before: State) -> None:
        self.told.append((before, self.state))


OF_ONE_FUSE = [
    _NeverLate,
    _NeverExpires,
    _ClosesByItself,
    _Unheld,
    _KeepsItsTimer,
    _LeasesForEver,
    _Remembers,
]
"""Each lacks a rule of the fuse."""
OF_PROCESSES = [_SeatsOfTheDead, _SeatsForEver, _SeatsOfTheLiving, _EachHasItsOwnProbes]
"""Wrong about what R06 and R11 say of processes."""
OF_OVERRIDES = [_OverridesStay, _OverridesEndByThemselves]
"""Wrong about how R12 lets an override end."""
OF_THE_JOURNAL = [_TellsNoResets, _TellsEachGeneration]
"""Wrong about what the journal holds (T14)."""
