"""The reference of :mod:`reference`, extended by processes: whose calls are whose, and what is left of the dead.

A call of a process that died is never settled. If it was a probe, its seat stays taken until its deadline, or until a
call that would be refused finds that its holder is gone for good (rule R11). A process that nobody has waited for yet
is dead, but not for certain.
"""

from reference import Call, Fuse, Policy, Reference, Rejected

from fuseboard import State


class HostFuse(Fuse):
    """One fuse of a host."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.gone: set[int] = set()
        self.owners: dict[Call, int] = {}
        self.told: list[tuple[State, State]] = []
        """T14: what the journal tells, states before and after. A new generation of the same state is no
        event, but where it is another manual override."""

    def move(self, state: State, now: int) -> None:
        """A change of state, which the journal tells."""
        before = self.state
        super().move(state, now)
        self.tell(before)

    def forget(self) -> None:
        """Closed and never seen, which the journal tells of a fuse that was not closed."""
        before = self.state
        super().forget()
        self.tell(before)

    def tell(self, before: State) -> None:
        """Notes what became of ``before``."""
        if before is not self.state or self.state in (State.ISOLATED, State.DISABLED):
            self.told.append((before, self.state))

    def ask(self, owner: int, policy: Policy, now: int) -> Call | Rejected:
        """A process asks to make a call."""
        answer = self.admit(policy, now)
        if isinstance(answer, Call):
            self.owners[answer] = owner
        return answer

    def _probe(self, policy: Policy, now: int) -> Call | Rejected:
        answer = super()._probe(policy, now)
        if isinstance(answer, Rejected) and self.reclaim():
            answer = super()._probe(policy, now)
        return answer

    def reclaim(self) -> bool:
        """R11: frees the seats of those who are gone for good; whether there were any."""
        dead = [seat for seat, call in self.seats.items() if self.is_gone(self.owners[call])]
        for seat in dead:
            del self.seats[seat]
        return bool(dead)

    def is_gone(self, owner: int) -> bool:
        """Whether a process is certainly dead."""
        return owner in self.gone


class Host(Reference):
    """A store of fuses, and the processes that use it."""

    fuse_class: type[Fuse] = HostFuse

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.gone: set[int] = set()

    def __getitem__(self, name: str) -> HostFuse:
        fuse = super().__getitem__(name)
        assert isinstance(fuse, HostFuse)
        fuse.gone = self.gone
        return fuse

    def bury(self, process: int) -> None:
        """Somebody waits for it: from now on nobody has its pid."""
        self.gone.add(process)
