"""Whether a history of concurrent operations could have come about one operation after the other.

Herlihy and Wing ("Linearizability", TOPLAS 1990): each operation takes effect at one instant between its call and
its answer. The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993): try, as the next one to
take effect, each operation that was called before any other was answered. Lowe ("Testing for linearizability", 2017)
adds the memory: operations done and the object's state are a configuration, and none is looked at twice. Histories are
checked fuse by fuse, since linearizability is local (Horn and Kroening, "P-compositionality", 2015).

An operation whose process was killed has no answer: it took effect before its process died, or never. That is strict
linearizability (Aguilera and Frolund, 2003). The process's death is an operation of the history itself.

Where the documents promise less than one atomic step, the model lets an operation take a step before its last: see
:mod:`fuse_model`.
"""

import dataclasses
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of a history. Times are of one clock; ``ended`` is None if there was no answer."""

    process: int
    word: str
    argument: tuple[Any, ...]
    begun: int
    ended: int | None
    answer: tuple[Any, ...] | None
    key: tuple[int, int] = (-1, -1)
    """What other operations call it: its process, and its place in the process's log."""


class Model(Protocol):
    """The object, as a plain sequential program."""

    first: Hashable

    def steps(self, state: Any, operation: Operation) -> Iterable[tuple[Hashable, bool]]:
        """Where the operation's next step may lead, and whether it is done then; nothing if its answer is wrong."""


@dataclasses.dataclass
class Verdict:
    """What the search found: an order in which all is well, or the longest after which nothing is."""

    order: list[Operation] | None
    longest: list[Operation]
    configurations: int

    def __bool__(self) -> bool:
        return self.order is not None

    def explain(self, history: Iterable[Operation]) -> str:
        """For people: how far an order could be found, and what was left."""
        left = sorted((each for each in history if each not in self.longest), key=lambda each: each.begun)
        lines = [f"  {_shown(each)}" for each in self.longest]
        return "\n".join(
            [*lines, "  ---- after which none of these can come:", *(f"  {_shown(each)}" for each in left)]
        )


def linearize(history: Iterable[Operation], model: Model) -> Verdict:
    """Searches for an order of the operations that the model agrees with."""
    search = _Search(sorted(history, key=lambda each: each.begun), model)
    return search.run()


class _Search:
    """Depth first, over configurations: a bit for each operation that is done, and the model's state."""

    def __init__(self, history: list[Operation], model: Model) -> None:
        self.history = history
        self.model = model
        self.answered = sum(1 << place for place, each in enumerate(history) if each.ended is not None)
        self.later = [self._later(each) for each in history]
        self.seen: set[tuple[int, Hashable]] = set()
        self.longest: tuple[int, tuple[Operation, ...]] = (0, ())

    def _later(self, operation: Operation) -> int:
        """The operations that its own process came to after it: a dead process does nothing more."""
        own = ((place, each) for place, each in enumerate(self.history) if each.process == operation.process)
        return sum(1 << place for place, each in own if each.begun > operation.begun)

    def run(self) -> Verdict:
        stack: list[tuple[int, Any, tuple[Any, ...]]] = [(0, self.model.first, ())]
        while stack:
            done, state, path = stack.pop()
            if (done, state) in self.seen:
                continue
            self.seen.add((done, state))
            if done & self.answered == self.answered:
                return Verdict(_unrolled(path), _unrolled(path), len(self.seen))
            self._note(done, path)
            stack.extend(self._next(done, state, path))
        return Verdict(None, _unrolled(self.longest[1]), len(self.seen))

    def _note(self, done: int, path: tuple[Any, ...]) -> None:
        if done.bit_count() >= self.longest[0]:
            self.longest = (done.bit_count(), path)

    def _next(self, done: int, state: Any, path: tuple[Any, ...]) -> Iterator[tuple[int, Any, tuple[Any, ...]]]:
        for place in reversed(self._candidates(done)):
            operation = self.history[place]
            for after, finished in self.model.steps(state, operation):
                if finished:
                    yield done | 1 << place, after, (path, operation)
                else:
                    yield done, after, path

    def _candidates(self, done: int) -> list[int]:
        """Operations that may be the next to take effect: called before the first answer that is still to come."""
        candidates, limit = [], None
        for place, operation in enumerate(self.history):
            if limit is not None and operation.begun > limit:
                break
            if done >> place & 1:
                continue
            if operation.ended is not None:
                limit = operation.ended if limit is None else min(limit, operation.ended)
            if not done & self.later[place]:
                candidates.append(place)
        return [place for place in candidates if limit is None or self.history[place].begun <= limit]


def _unrolled(path: tuple[Any, ...]) -> list[Operation]:
    order = []
    while path:
        path, operation = path
        order.append(operation)
    return order[::-1]


def _shown(operation: Operation) -> str:
    times = f"{operation.begun:>9} {operation.ended if operation.ended is not None else 'killed':>9}"
    what = f"{operation.word}{operation.argument} -> {operation.answer}"
    return f"{times}  process {operation.process}  {operation.key}  {what}"
