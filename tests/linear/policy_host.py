"""A store of the fuses of :mod:`policy_reference`, which can be given back (R28)."""

from collections.abc import Iterable

from host_reference import Host
from policy_reference import PolicyFuse
from rules import SEVEN_DAYS_US, Rules


class PolicyHost(Host):
    """A store of such fuses."""

    fuse_class = PolicyFuse

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.dropped = 0
        """R28: what the journal has no name for any more."""

    def fuse(self, name: str) -> PolicyFuse:
        """The fuse of this name."""
        fuse = self[name]
        assert isinstance(fuse, PolicyFuse)
        return fuse

    def reset_all_at(self, now: int) -> None:
        """Every fuse closed and forgotten."""
        for name in [*self._fuses]:
            self.fuse(name).forget_at(now)

    def give_back(self, name: str, breakers: Iterable[Rules], now: int) -> bool:
        """R28: ends an idle fuse, whose name is one never seen from then on. All these breakers have come to it."""
        is_idle = self.fuse(name).is_idle(self.reach_us(breakers), now)
        if is_idle:
            self.dropped += len(self.fuse(name).told)
            del self._fuses[name]
        return is_idle

    def reach_us(self, breakers: Iterable[Rules]) -> int:
        """R28: how far back they look, rounded up to a power of two, as far as a setting may go."""
        reach = 1
        while reach < max(policy.reach_us for policy in breakers):
            reach *= 2
        return min(reach, SEVEN_DAYS_US)
