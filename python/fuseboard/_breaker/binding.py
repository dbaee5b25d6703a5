"""A breaker's hold on its fuse: where it is, and what the compiled part asks and tells the breaker meanwhile."""

from collections.abc import Callable
from typing import Any, Self, cast

from fuseboard import _core
from fuseboard._breaker import context_managers, notices, wrappers
from fuseboard._breaker.classify import BY_OUTCOME, Outcome, Verdict
from fuseboard._breaker.definition import Family
from fuseboard._events.log import announce, logger
from fuseboard._events.subscription import see_to_forks
from fuseboard._events.transition import Made, Transition, began, transition
from fuseboard._policy.settings import Numbers, Settings
from fuseboard._store import registry
from fuseboard._store.manual_override import Order
from fuseboard._store.store import DEFAULT_FAILURES, DEFAULT_FUSES, Store


class Hold(_core.Breaker):
    """A fuse of a store, found when it is first needed, with the numbers to decide by."""

    __slots__ = ("__dict__", "_family", "_faults", "_keyed", "_name")

    _family: Family
    """What it has in common with those of its keys."""
    _keyed: dict[str | int, Self]
    """The breakers of its keys, the oldest first."""
    _name: str

    def _begin(self, name: str, family: Family) -> None:
        self._name = name
        self._family = family
        self._keyed = {}
        self._faults = 0
        if family.is_shadow:
            self._reject_nobody()
        if family.errors is not None:
            self._reject_with(family.errors)
        if family.judge_result is not None:
            self._judge_results()
        if family.store is None:
            registry.follow_default(self)

    def _another(self, name: str, family: Family) -> Self:
        """Another breaker of this class, with the attributes that a program has given this one.

        It finds its fuse when it is first needed: to ask for a key takes no place in the table.
        """
        other = type(self).__new__(type(self))
        if self.__dict__:
            other.__dict__.update(self.__dict__)
        other._begin(name, family)
        return other

    @property
    def name(self) -> str:
        """The fuse."""
        return self._name

    @property
    def settings(self) -> Settings:
        """The numbers it decides by."""
        return self._family.settings

    @property
    def faults(self) -> int:
        """How many faults no call was told of; the first of a breaker and its keys is logged.

        They are ours, or a predicate's, after which the call counts as failed.
        """
        return self._faults

    def _judge(self, error: BaseException) -> Verdict:
        return self._family.judge(self._name, error)

    def _judge_result(self, result: object) -> Verdict:
        judge = cast("Callable[[Any], Verdict]", self._family.judge_result)
        return judge(result)

    @property
    def _store_now(self) -> Store | None:
        """The store that it was given, or else the default one; None if that is not open yet."""
        return self._family.store or cast("Store | None", registry.default())

    @property
    def _capacity(self) -> int:
        """Failures of a fuse that its store counts; of a default store that is not open yet, what it is made with."""
        store = self._store_now
        return DEFAULT_FAILURES if store is None else store.failure_capacity

    @property
    def _most_keys(self) -> int:
        """Breakers of keys that are kept: as many as the store has places for fuses."""
        store = self._store_now
        return DEFAULT_FUSES if store is None else store.fuse_capacity

    def _fuse(self) -> _core.Fuse:
        return self._linked() or self._look()

    def _obey(self, order: Order) -> Transition:
        # A word that others are to hear must not be said to a table that nobody comes to any more.
        store = self._store_now
        if store is not None:
            store._look_around(at_once=True)
        made = self._fuse()._obey(*order)
        while made is None:
            # It was removed just now: then it is another slot's fuse.
            made = self._fuse()._obey(*order)
        return self._announce(made)

    def _look(self) -> _core.Fuse:
        """Finds the fuse for whoever only looks at it or sets its state, which says nothing of settings."""
        fuse, _ = self._found(self._look_at)
        return fuse

    def _resolve(self) -> _core.Fuse:
        """Finds the fuse for calls, for the compiled part: from now on they go by it, and by these settings."""
        fuse, store = self._found(self._link)
        notices.come(store, self._family, fuse)
        return fuse

    def _found(self, link: Callable[[_core.Fuse], None]) -> tuple[_core.Fuse, Store]:
        """The fuse and its store, linked to."""
        while True:
            store = self._family.store or Store._default_for_a_call()
            store._look_around(at_once=True)
            fuse = _core.Fuse(store, self.name, self._family.numbers)
            link(fuse)
            # A default store that was replaced just before the link would otherwise stay ours.
            if self._family.store is not None or registry.default() is store:
                break
        threshold = self._family.numbers["threshold"]
        if threshold > store.failure_capacity and self._family.told.is_first("capacity"):
            logger.warning(
                "circuit %r: threshold %d counts as %d, the failures that %s can count; "
                "choose another name for a store that counts more, made with failures=%d",
                self.name, threshold, store.failure_capacity, store._called, threshold,
            )  # fmt: skip
        return fuse, store

    def _announce(self, made: Made) -> Transition:
        see_to_forks()
        store = self._family.store or Store._default_for_a_call()
        told = transition((self.name, *made), began(store))
        announce(told, self._family.listener)
        return told

    def _transitioned(self, *made: *Made) -> None:
        self._announce(made)

    def _report(self, fault: BaseException) -> None:
        self._faults += 1
        if self._family.told.is_first("fault"):
            logger.error(
                "circuit %r: %s: %s, which no call is told of; later faults of this breaker and its keys are only "
                "counted",
                self.name, type(fault).__qualname__, fault, exc_info=fault,
            )  # fmt: skip

    def _voided(self) -> None:
        if not self._family.told.is_first("voided"):
            return
        logger.warning(
            "circuit %r: blocks that an ExitStack or a helper has entered were under way when the fuse changed, and "
            "nobody can tell which of them ends: their outcomes count for nothing. Use "
            "stack.enter_context(breaker.permit()), which is exact.",
            self.name,
        )  # fmt: skip

    def _follow(self, begun: Any, permit: _core.Permit) -> Any:
        followed = context_managers.result(self, begun, permit) or wrappers.result(self, begun, permit)
        if followed is not None:
            return followed
        self._settle_as(permit, BY_OUTCOME[Outcome.IGNORED])
        if self._family.told.is_first("awaitable"):
            logger.warning(
                "circuit %r: a guarded function returned an awaitable %s, which a breaker cannot follow: such calls "
                "count as ignored. Guard a coroutine function that awaits it, or use acall.",
                self.name, type(begun).__qualname__,
            )  # fmt: skip
        return begun


def check_capacity(numbers: Numbers, store: Store | None) -> None:
    """Checks that a store can count as many failures as a breaker's threshold.

    Raises:
        ValueError: it cannot.
    """
    # Of the default store what it is made with, so that the answer does not hang on whether it is open yet.
    capacity = DEFAULT_FAILURES if store is None else store._failures_to_be_had
    threshold = numbers["threshold"]
    if threshold > capacity:
        raise ValueError(
            f"threshold must be at most the store's capacity of {capacity} failures, got {threshold}; "
            f"give a store made with more, such as store=Store.shared(name, failures={threshold})"
        )
