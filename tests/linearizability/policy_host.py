"""A store of the fuses of :mod:`policy_reference`, which can be removed (R28)."""

from host_reference import Host
from policy_reference import PolicyFuse


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

    def remove(self, name: str, now: int) -> bool:
        """R28: ends an idle fuse, whose name is one never seen from then on."""
        is_idle = self.fuse(name).is_idle(now)
        if is_idle:
            self.dropped += len(self.fuse(name).told)
            del self._fuses[name]
        return is_idle
