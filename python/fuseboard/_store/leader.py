"""One process of the host that leads for a purpose, and the counts that a leader exports."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from fuseboard import _core
from fuseboard._events.log import logger
from fuseboard._once import lock
from fuseboard._validation import Seconds, in_seconds, microseconds, purpose_name

LEASE = 0.75
"""Seconds: with a call every quarter of a second, a leader that is stopped is replaced within one second."""
LEAST_LEASE = 0.1
LONGEST_LEASE = 3600
METRICS = "metrics"
"""The purpose whose leader exports counts. A store notes for one purpose what was exported."""


class FuseCounts(NamedTuple):
    """What all processes of the host counted for a fuse since its counts were last exported.

    The same counts are in :class:`FuseSnapshot` as totals.
    """

    successes: int = 0
    """Calls that succeeded."""
    failures: int = 0
    """Calls that failed."""
    ignored: int = 0
    """Calls whose outcome counted neither way (rule R10)."""
    rejections: int = 0
    """Calls that were rejected."""
    late_outcomes: int = 0
    """Outcomes of calls admitted in an older generation (rule R09), counted as what they were too."""
    probes: int = 0
    """Calls admitted as probes."""
    trips: int = 0
    """Times that a failure opened the fuse."""
    closes: int = 0
    """Times that a probe closed the fuse."""
    slow: int = 0
    """Calls that took as long as the breaker's ``SlowRate`` calls slow, or longer."""


class Counts(Mapping[str, FuseCounts]):
    """What to export: :class:`FuseCounts` by the fuse's name, of each fuse that has something new.

    From :meth:`Leader.counts`. Immutable. Call :meth:`done` when the export has succeeded.
    """

    __slots__ = ("_fuses", "_unexported")

    def __init__(self, unexported: _core.Unexported) -> None:
        self._unexported = unexported
        self._fuses = {name: FuseCounts(*counts) for name, counts in unexported.rows()}

    def done(self) -> None:
        """Notes in the store that these counts were exported: the next counts begin where these end.

        Call it when the export has succeeded. If the leader is killed between the export and this call, the next leader
        exports these counts again; none is left out. A second call, or a call of a leader that was replaced, does no
        harm.
        """
        self._unexported.note()

    def __getitem__(self, fuse: str) -> FuseCounts:
        return self._fuses[fuse]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fuses)

    def __len__(self) -> int:
        return len(self._fuses)

    def __repr__(self) -> str:
        return f"<Counts {self._fuses!r}>"


class Leader:
    """One of the processes that may lead for a purpose. One process of the host leads at a time.

    From :meth:`Store.leader`. Call :meth:`lead` before each action, and act if it returns True. Another process takes
    over with its next call of :meth:`lead` if this process has ended, or if it has not called :meth:`lead` for
    ``lease`` seconds.

    All leaders of one store and purpose in a process are the same leader: they lead together, and :meth:`resign` is for
    all of them. A forked child does not lead because its parent leads; it is a process like the others. On a private
    table the process always leads. As a context manager it resigns at the end. Thread-safe; it has no thread of its
    own, and no call waits.
    """

    __slots__ = ("_candidate", "_fault", "_lease", "_purpose", "_store")

    def __init__(self, store: _core.Store, purpose: str, lease: Seconds) -> None:
        self._purpose = purpose_name(purpose)
        lease_us = microseconds("lease", lease, least=LEAST_LEASE, most=LONGEST_LEASE)
        self._lease = in_seconds(lease)
        self._store = store
        self._candidate = _core.Leader(store, self._purpose, lease_us)
        self._fault: str | None = None

    @property
    def purpose(self) -> str:
        """What it leads for."""
        return self._purpose

    def lead(self) -> bool:
        """Takes the lead, or keeps it for another ``lease`` seconds. Returns whether this process leads.

        It costs microseconds. Call it before each action: a process that was stopped for a long time learns here that
        another process leads.

        Raises:
            ValueError: the store is on another table now, which has eight other purposes.
        """
        term, fault = self._candidate.lead()
        with lock():
            before, self._fault = self._fault, fault
        if fault not in (None, before):
            logger.warning(
                "purpose %r: the lock file beside the table of the store cannot be used: %s. If the leader dies, "
                "another process takes over only after its lease of %g seconds has ended.",
                self._purpose, fault, self._lease,
            )  # fmt: skip
        return term is not None

    @property
    def is_leader(self) -> bool:
        """Whether this process leads at this moment. It does not keep the lead: before you act, call :meth:`lead`."""
        return self.term is not None

    @property
    def term(self) -> int | None:
        """The number of this process's leadership, None if it does not lead at this moment.

        It grows with each new leader. Send it with each action: then a service can refuse actions of an older term. A
        process that was stopped between :meth:`lead` and the action sends such an old term.
        """
        return self._candidate.term()

    @property
    def pid(self) -> int | None:
        """The process that leads now, as a hint for people; None if no process leads. Its pid namespace may differ."""
        return self._candidate.pid()

    def resign(self) -> None:
        """Leaves the lead to others at once. Does nothing if this process does not lead."""
        self._candidate.resign()

    def counts(self) -> Counts | None:
        """The host's counts that are not exported yet; None if another process leads. It calls :meth:`lead`.

        Export them, then call :meth:`Counts.done`. Then the counts of all leaders together are the store's totals.
        ``reset_all``, and removing a fuse, drop what no leader has exported before. Fuses that found no room
        in the table are not in it: they live in one process each.

        Raises:
            ValueError: the purpose is not ``"metrics"``. A store notes once what was exported, so two purposes would
                take counts from each other.
        """
        if self._purpose != METRICS:
            raise ValueError(
                f"purpose must be {METRICS!r} to export counts, got {self._purpose!r}; use store.leader({METRICS!r})"
            )
        unexported = self._candidate.unexported() if self.lead() else None
        return None if unexported is None else Counts(unexported)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.resign()

    def __repr__(self) -> str:
        return f"<Leader {self._purpose!r} of {self._store!r}>"
