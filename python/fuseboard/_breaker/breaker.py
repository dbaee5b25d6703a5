"""The breaker: settings bound to a fuse."""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ParamSpec, Self, TypeVar, Unpack, cast

from fuseboard import _core
from fuseboard._breaker import (
    caller,
    context_managers,
    explain,
    fallbacks,
    keyed,
    rejection_classes,
    signatures,
    wrappers,
)
from fuseboard._breaker.binding import FuseBinding, check_capacity
from fuseboard._breaker.classify import (
    BY_OUTCOME,
    Lists,
    OpenFor,
    Outcome,
    Verdict,
    Which,
    judge_of_exceptions,
    judge_of_results,
)
from fuseboard._breaker.definition import Definition
from fuseboard._breaker.notices import Notices
from fuseboard._breaker.permit import Permit
from fuseboard._breaker.rejection_classes import Rejections
from fuseboard._breaker.waiting import Waiting
from fuseboard._events.log import announce
from fuseboard._events.stream import sleep_of_the_running_library
from fuseboard._events.subscription import see_to_forks
from fuseboard._events.transition import Made, Transition, began
from fuseboard._functions import is_async
from fuseboard._once import lock
from fuseboard._policy import from_environment, suggestions
from fuseboard._policy.policies import Policy, RateCount, kind
from fuseboard._policy.settings import NAMES, Changes, Settings, changed
from fuseboard._state import State
from fuseboard._store import registry
from fuseboard._store.manual_override import Override, manual_override
from fuseboard._store.store import Store
from fuseboard._validation import Seconds, exact, flag, shown
from fuseboard.errors import CircuitIsolatedError, CircuitOpenError, StoreReadOnlyError

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]")


class CircuitBreaker(_core.Breaker):
    """Guards calls to a service by the fuse of this name.

    Use it as a decorator (of functions, coroutine functions, generators, asynchronous generators, methods, class and
    static methods), as ``with breaker:`` or ``async with breaker:``, or as ``breaker.call(function, ...)`` and ``await
    breaker.acall(function, ...)``. While the fuse is closed, a call passes at the cost of one atomic load. When
    ``threshold`` calls have failed within ``window`` seconds, counted over all processes, the fuse opens and calls
    raise :class:`CircuitOpenError`. After ``reset_timeout`` seconds one call is let through, to see whether the service
    is back.

    The caller gets what the guarded call returns or raises. No lock is held while it runs.

    Thread-safe, task-safe, process-safe. After ``fork`` a child goes on with the same fuse; a probe stays its parent's.
    Two breakers with the same name on the same store share a fuse, each with its own settings.

    The environment can change any setting: ``FUSEBOARD_<FUSE>_<SETTING>``, such as
    ``FUSEBOARD_PAYMENTS_DB_THRESHOLD=10``, replaces what the code says.

    Args:
        name: the fuse; 1 to 200 bytes of UTF-8.
        settings: a :class:`Settings` to start from; None for the defaults.
        changes: any of the settings by name, instead of those: ``threshold``, ``window``, ``policy``,
            ``reset_timeout``, ``multiplier``, ``max_reset_timeout``, ``jitter``, ``probes``, ``success_threshold``,
            ``probe_failures``, ``probe_timeout``, ``half_open_timeout``, ``ramp``, ``ramp_from``, ``clear_on_success``;
            see :class:`Settings`.
        failure_on: which exceptions are failures: a class, a tuple of classes, or a predicate. An exception
            that no list names is ignored: it counts neither way. A time-out whose class is not an ``Exception``, such
            as ``gevent.Timeout``, then counts as ``TimeoutError`` does.
        success_on: which exceptions are answers of a healthy service, such as "not found". They are successes. This
            list is asked before ``failure_on``.
        ignore: which exceptions say nothing about the service. This list is asked first. Cancellation,
            ``KeyboardInterrupt``, ``SystemExit`` and ``GeneratorExit`` are always ignored. The members of an exception
            group decide for the group (rule R10). A predicate of these three lists may return an :class:`Outcome`
            instead of a bool; then that is the outcome.
        failure_if: a predicate on results. If it is true for a result, the call has failed, although the caller gets
            the result. It is asked about what functions and coroutines return, not about generators. If it returns an
            :class:`Outcome`, that is the outcome. If it returns a :class:`TripError`, the call has failed and opens the
            fuse at once, as if it had raised that error.
        trip_if: which exceptions open the fuse at once, whatever the counts: classes or a predicate, as for
            ``failure_on``. So does a :class:`TripError` that the call raises.
        open_for: a function that takes an exception and returns how many seconds the fuse stays open if that call
            opens it, such as a server's ``Retry-After``; None for the time of the settings. The time is kept between
            ``reset_timeout`` and ``max_reset_timeout``.
        fallback: what a rejected call gets instead of :class:`CircuitOpenError`: a value, or what this function
            returns; see :meth:`with_fallback`. None for no fallback.
        shadow: True to decide, count and journal, but never reject: a call that would be rejected goes on unguarded.
            ``FUSEBOARD_SHADOW=1`` in the environment does this for all breakers that are made while it is set.
        on_transition: called with a :class:`Transition` after a call of this breaker has changed the fuse's state: once
            per host, in the process of that call. What it raises is logged.
        store: the store; None for :meth:`Store.default`, which is opened at the first call.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range.
    """

    __slots__ = ("__dict__", "_binding", "_definition", "_faults", "_keyed", "_notices")

    _definition: Definition
    """What it was made with. The breakers of its keys share it."""
    _binding: FuseBinding
    """Where its fuse is."""
    _notices: Notices
    """What is logged once for it and the breakers of its keys together."""
    _keyed: dict[str | int, Self]
    """The breakers of its keys, the oldest first."""
    _faults: int

    def __init__(  # noqa: PLR0913 - one argument per thing to say, all but the first by name
        self,
        name: str,
        *,
        settings: Settings | None = None,
        failure_on: Which = Exception,
        success_on: Which = (),
        ignore: Which = (),
        failure_if: Callable[[Any], object] | None = None,
        trip_if: Which = (),
        open_for: OpenFor | None = None,
        fallback: object = None,
        shadow: bool = False,
        on_transition: Callable[[Transition], object] | None = None,
        store: Store | None = None,
        **changes: Unpack[Changes],
    ) -> None:
        _core.check_name(name)
        name = exact(name)
        _check_arguments(settings, on_transition, store)
        _check_names(changes)
        tuned = from_environment.tuned(name, changed(settings or Settings(), changes))
        lists = Lists(failure_on, success_on, ignore, trip_if)
        definition = Definition(
            name=name,
            settings=tuned,
            numbers=tuned.numbers(),
            settings_hash=tuned.settings_hash(),
            store=store,
            listener=on_transition,
            lists=lists,
            failure_if=failure_if,
            open_for=open_for,
            fallback=fallbacks.function(fallback),
            judge=judge_of_exceptions(lists, open_for),
            judge_result=None if failure_if is None else judge_of_results(failure_if),
            errors=None,
            is_shadow_by_code=flag("shadow", shadow),
            is_shadow_by_environment=from_environment.is_shadowed(),
            module=caller.module_name(),
        )
        check_capacity(definition.numbers["threshold"], store)
        self._begin(name, definition, Notices())
        if store is not None:
            self._look()

    def _begin(self, name: str, definition: Definition, notices: Notices) -> None:
        self._definition = definition
        self._binding = FuseBinding(name, definition.store, definition.numbers)
        self._notices = notices
        self._keyed = {}
        self._faults = 0
        if definition.is_shadow:
            self._reject_nobody()
        if definition.errors is not None:
            self._reject_with(definition.errors)
        if definition.judge_result is not None:
            self._judge_results()
        if definition.store is None:
            registry.follow_default(self)

    def _another(self, name: str, definition: Definition) -> Self:
        """Another breaker of this class, with the attributes that a program has given this one.

        It finds its fuse when it first needs it: asking for a key takes no slot in the table.
        """
        other = type(self).__new__(type(self))
        if self.__dict__:
            other.__dict__.update(self.__dict__)
        other._begin(name, definition, self._notices)
        return other

    @property
    def name(self) -> str:
        """The fuse."""
        return self._binding.name

    @property
    def settings(self) -> Settings:
        """The numbers it decides by."""
        return self._definition.settings

    @property
    def faults(self) -> int:
        """How many internal errors were kept from calls. The first one of a breaker and its keys is logged.

        They are errors of this library, or of a predicate; after one of a predicate, the call counts as failed.
        """
        return self._faults

    def for_key(self, key: str | int) -> Self:
        """The breaker for a key, such as a tenant, a host or a shard: like this one, with a fuse of its own.

        Its fuse is ``name[key]``, such as ``payments[tenant-42]``; a long key is cut and gets a hash. Each fuse has its
        own state: if you isolate or reset this breaker, the breakers of its keys do not change. The same key gives the
        same breaker, and always the same fuse. Equal keys do too, such as ``"eu"`` and the member of a ``str`` enum
        with that value. The latest breakers are kept, as many as the store has slots for fuses. A breaker that was
        dropped is made again when its key comes again; that costs as much as the first time, and logs nothing again.
        Give the store room for all keys: ``Store.shared(name, fuses=100_000)``.

        Raises:
            TypeError: the key is neither a str nor an int.
            ValueError: the breaker's name leaves no room for the key; one of at most 181 bytes leaves room for any.
        """
        key = keyed.checked(key)
        found = self._keyed.get(key)
        if found is None:
            made, most = self._another(keyed.name_of(self.name, key), self._definition), self._binding.fuse_capacity
            with lock():
                found = self._keyed.setdefault(key, made)
                if len(self._keyed) > most:
                    self._notices.keys_dropped()
                    keyed.drop_oldest(self._keyed, most)
        return found

    def raising(self, open_error: type[CircuitOpenError], isolated_error: type[CircuitIsolatedError]) -> Self:
        """This breaker with rejections of other classes, for an integration with a library.

        Code that is written for a library catches that library's errors. A class with both bases is caught as either:
        ``class BreakerOpenError(CircuitOpenError, httpx.TransportError)``. Calls, blocks, permits, ``check()`` and the
        breakers of keys raise the rejection itself as that class: there is no second exception, and none in its
        context.

        Returns another breaker on the same fuse. All else is as in this one, but it has its own breakers of keys.

        Args:
            open_error: the class of rejections by a fuse that is open, half-open or ramping. It is made with what
                :class:`CircuitOpenError` is made with, which comes first among its bases.
            isolated_error: the class of rejections by a manual override.

        Raises:
            TypeError: a class is not a subclass of :class:`CircuitOpenError` or :class:`CircuitIsolatedError`, or
                cannot be made with the same arguments.
        """
        errors = rejection_classes.checked(open_error, isolated_error)
        return self._another(self.name, self._definition._replace(errors=errors))

    def explain(self) -> str:
        """What the breaker does, one idea per line, and warnings about what it can never do."""
        return explain.words(self.settings, self._definition, self._binding.failure_capacity, shadow=self._shadow)

    @property
    def _shadow(self) -> str | None:
        """Why it rejects no calls, if so."""
        if self._definition.is_shadow_by_environment:
            return f"{from_environment.SHADOW} is set"
        return "the breaker is a shadow (shadow=True)" if self._definition.is_shadow else None

    def rates(self) -> dict[Policy, RateCount]:
        """The calls within each rate's window, since the present state began. Empty if no policy is a rate."""
        fuse = self._fuse()
        found = {policy: fuse.rate_count(kind(policy)) for policy in self.settings.policies if kind(policy) >= 0}
        return {policy: RateCount(*count) for policy, count in found.items() if count is not None}

    @property
    def store(self) -> Store:
        """The store of its fuse. Opens the default store, if the breaker follows that and it is not open yet."""
        return self._definition.store or Store.default()

    def isolate(self, *, why: str | None = None, who: str | None = None, for_: Seconds | None = None) -> Transition:
        """Rejects every call on the host (rule R12).

        It lasts until :meth:`reset`, :meth:`disable` or another :meth:`isolate`. With ``for_`` it also ends when that
        time is over; the first call after that is a probe. A restart does not undo it. The last override counts.

        Args:
            why: the reason, for the journal, the log and people who look at the fuse; 1 to 111 bytes of printable text
                in UTF-8.
            who: who does this; 1 to 39 bytes of printable text in UTF-8.
            for_: how long, in seconds or as a timedelta: 1 millisecond to seven days. None for no end. If the process
                is killed in the middle of this, the override may have no end; it is never shorter.

        Returns:
            The transition that this made, with the state before. From isolated to isolated is a transition too.

        Raises:
            TypeError: an argument is of the wrong type.
            ValueError: an argument is out of range.
        """
        return self._override(manual_override(State.ISOLATED, why, who, for_))

    def disable(self, *, why: str | None = None, who: str | None = None, for_: Seconds | None = None) -> Transition:
        """Admits every call on the host (rule R12). Arguments as for :meth:`isolate`.

        With ``for_``, the first call after that time closes the fuse.
        """
        return self._override(manual_override(State.DISABLED, why, who, for_))

    def reset(self, *, why: str | None = None, who: str | None = None) -> Transition:
        """Closes the fuse from any state, with an empty window. Calls under way do not count any more (rule R09).

        Arguments as for :meth:`isolate`.
        """
        return self._override(manual_override(State.CLOSED, why, who))

    def _override(self, override: Override) -> Transition:
        # An override must reach the other processes, so it must not go to a table that they have left.
        self._binding.look_around()
        while True:
            made = self._fuse()._apply_override(*override)
            if made is not None:
                return self._transitioned(made)
            # The fuse was removed just now. Its name has another slot by now, or takes one.

    def __call__(self, function: F) -> F:
        """Guards a function, as a decorator. Signature, name and documentation stay.

        Raises:
            TypeError: it is not a function, but a class or a property, for example.
        """
        return self._decorate(function, self._definition.fallback)

    def with_fallback(self, fallback: object) -> Callable[[F], F]:
        """A decorator that guards a function, with another fallback than the breaker's own.

        If the fallback is a function, a rejected call calls ``fallback(rejection, *args, **kwargs)``, with the
        :class:`CircuitOpenError` and the arguments of the call. The caller gets what the fallback returns or raises. It
        is called only for rejections, not for what the guarded function raises, and it is not guarded. The fallback of
        a coroutine function is a coroutine function, a plain function or a value. That of a generator function is a
        generator function, and that of an asynchronous generator function is one too.

        Args:
            fallback: a function or a value. None for no fallback: then the rejection is raised. For the value None,
                give a function that returns it.

        Raises:
            TypeError: the fallback cannot stand in for the function, such as a coroutine function for a plain one.
        """
        answer = fallbacks.function(fallback)

        def decorate(function: F) -> F:
            return self._decorate(function, answer)

        return decorate

    def _decorate(self, function: F, fallback: Callable[..., Any] | None) -> F:
        if isinstance(function, classmethod | staticmethod):
            kind = type(function)
            return kind(self._decorate(function.__func__, fallback))
        if isinstance(function, type) or not callable(function):
            hint = "decorate its methods" if isinstance(function, type) else "decorate the function inside"
            raise TypeError(f"a breaker guards functions, got {shown(function)}; {hint}")
        guarded = (
            context_managers.function(self._decorate, function, fallback)
            or wrappers.function(self, function, fallback)
            or signatures.function(function, self._guard_sync(function, fallback), has_fallback=fallback is not None)
        )
        return cast("F", guarded)

    def _guard_sync(self, function: Callable[..., Any], fallback: Callable[..., Any] | None) -> Callable[..., Any]:
        answer = None if fallback is None else fallbacks.for_function(function, fallback)
        return _core.guard(self, function, answer)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls ``function(*args, **kwargs)`` under the breaker and returns its result.

        If the result is a coroutine or a generator, it is guarded while it runs. Another awaitable, such as an asyncio
        future, counts as ignored. A ``concurrent.futures.Future`` is a result like any other (rule R17).

        Raises:
            CircuitOpenError: the fuse rejects the call, and there is no fallback; the function is not called.
        """
        fallback = self._definition.fallback
        if fallback is None:
            return cast("R", _core.guard(self, function)(*args, **kwargs))
        guarded = wrappers.function(self, function, fallback) or self._guard_sync(function, fallback)
        return cast("R", guarded(*args, **kwargs))

    async def acall(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Awaits ``function(*args, **kwargs)`` under the breaker; ``call`` is its counterpart for plain functions.

        Raises:
            CircuitOpenError: the fuse rejects the call, and there is no fallback; the function is not called.
        """
        try:
            permit = self._admit()
        except CircuitOpenError as rejection:
            if self._definition.fallback is None:
                raise
            return cast("R", await fallbacks.acall(self._definition.fallback, rejection, args, kwargs))
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            wrappers.raised(self, function, permit, error)
            raise
        self._settle_result(permit, result)
        return result

    def check(self) -> None:
        """Raises the rejection that a call would get at this moment, if any. For a caller that only asks.

        It takes no permit, counts nothing and changes nothing. It passes when the open time of an open fuse is
        over, and the fuse stays open. It passes for a half-open fuse while a probe's permit is free. The next call may
        still be rejected, because another call came first.

        Raises:
            CircuitOpenError: a call would be rejected.
        """
        rejection = self._rejection_now()
        try:
            if rejection is not None:
                raise rejection
        finally:
            # This frame is in the rejection's traceback; the two would keep each other and the caller's objects alive.
            del rejection

    def wait(self, timeout: Seconds | None = None) -> bool:
        """Waits until :meth:`check` passes. For a worker that holds a message.

        It takes no permit, counts nothing and changes nothing. The call after it may still be rejected, because another
        call came first; then wait again. It also waits while the fuse is isolated. For a fuse that ramps up it sleeps
        once at most; the call itself finds out whether it is in the share that passes.

        The thread sleeps, and looks four to five times a second, and more often just before a probe may go out. So it
        notices a change within a quarter of a second, also one that another process made. Several waiting threads do
        not wake at the same instant. Ctrl-C ends it. Under gevent, other greenlets run meanwhile if ``time`` is
        patched. In an event loop, use :meth:`wait_async`.

        Args:
            timeout: how long to wait at most: seconds or a timedelta, from 0 (one look) to seven days; None for no
                limit. It is real time, also where a test moves the store's clock.

        Returns:
            True if a call may pass now; False if it may not and the time is up.

        Raises:
            TypeError: ``timeout`` is no length of time.
            ValueError: ``timeout`` is out of range.
        """
        waiting = Waiting(self._rejection_now, timeout)
        while (delay := waiting.look()) is not None:
            time.sleep(delay)
        return waiting.may_pass

    async def wait_async(self, timeout: Seconds | None = None) -> bool:  # noqa: ASYNC109 - the counterpart of `wait`
        """Waits until :meth:`check` passes: :meth:`wait` for tasks, under asyncio and trio, and libraries on them.

        Other tasks run meanwhile, at least once even if it need not wait. A task that is cancelled stops at once.

        Args:
            timeout: as for :meth:`wait`.

        Returns:
            True if a call may pass now; False if it may not and the time is up.

        Raises:
            TypeError: ``timeout`` is no length of time.
            ValueError: ``timeout`` is out of range.
        """
        waiting, sleep = Waiting(self._rejection_now, timeout), sleep_of_the_running_library()
        await sleep(0)
        while (delay := waiting.look()) is not None:
            await sleep(delay)
        return waiting.may_pass

    def _rejection_now(self) -> CircuitOpenError | None:
        """The rejection that a call would get at this moment. An internal error of ours must not stop a call."""
        try:
            return None if self._definition.is_shadow else self._would_reject(self._fuse())
        except Exception as fault:  # noqa: BLE001 - see above
            self._report(fault)
            return None

    def permit(self) -> Permit:
        """Asks to make a call whose outcome is reported by hand: later, by a callback, or by another thread.

        Report the outcome with ``success()``, ``failure()`` or ``ignore()``, or use the permit in a ``with`` statement.
        Fallbacks and ``failure_if`` do not apply. Inside a probe of the same fuse, or inside a call on its ramp, the
        permit counts for nothing (state-machine.md, "Nested calls").

        Raises:
            CircuitOpenError: the fuse rejects the call.
        """
        return Permit(self, self._permit())

    def __repr__(self) -> str:
        """Name and state; without the state if a look would open the default store."""
        fuse = self._linked()
        state = "" if fuse is None else f" {fuse.state().state.value}"
        return f"<CircuitBreaker {self.name!r}{state}>"

    def __copy__(self) -> Self:
        """The breaker itself: a copy would be bound to the same fuse."""
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        """The breaker itself, as for :meth:`__copy__`."""
        return self

    def __reduce__(self) -> tuple[Callable[..., "CircuitBreaker"], tuple[Any, ...]]:
        """A breaker pickles as what it was made with: its name, its settings, its lists and its shared store's name.

        A breaker that follows the default store follows the default store of the process where it is unpickled.
        Attributes that a subclass adds are not pickled: the subclass extends this method for them.

        Raises:
            TypeError: it is on a private store, which is this process's own.
        """
        definition = self._definition
        if definition.store is not None and definition.store.name is None:
            raise TypeError(
                f"breaker {self.name!r} cannot be pickled, because its private store belongs to this process; "
                "use store=Store.shared(name), or create a breaker in the other process"
            )
        given = {
            **definition.lists._asdict(),
            "settings": definition.settings,
            "failure_if": definition.failure_if,
            "open_for": definition.open_for,
            "fallback": definition.fallback,
            "shadow": definition.is_shadow_by_code,
            "on_transition": definition.listener,
            "store": definition.store,
        }
        return _unpickled, (type(self), self.name, given, definition.module, definition.errors)

    def _fuse(self) -> _core.Fuse:
        return self._linked() or self._look()

    def _found(self, link: Callable[[_core.Fuse], None]) -> tuple[_core.Fuse, Store]:
        fuse, store = self._binding.find(link)
        self._notices.capacity(self.name, self._definition.numbers["threshold"], store)
        return fuse, store

    # What the compiled part asks for: see `_core.Package`.

    def _resolve(self) -> _core.Fuse:
        """Finds the fuse for calls. From now on calls use it, and these settings count as used."""
        fuse, store = self._found(self._link)
        self._notices.come(store, self._definition, fuse)
        return fuse

    def _look(self) -> _core.Fuse:
        """Finds the fuse for code that only reads it or sets its state. No settings are noted for that."""
        fuse, _ = self._found(self._look_at)
        return fuse

    def _judge(self, error: BaseException) -> Verdict:
        return self._definition.judge(self.name, error)

    def _judge_result(self, result: object) -> Verdict:
        judge = cast("Callable[[Any], Verdict]", self._definition.judge_result)
        return judge(result)

    def _follow(self, begun: Any, permit: _core.Permit) -> Any:
        followed = context_managers.result(self, begun, permit) or wrappers.result(self, begun, permit)
        if followed is not None:
            return followed
        self._settle_as(permit, BY_OUTCOME[Outcome.IGNORED])
        self._notices.unfollowed(self.name, begun)
        return begun

    def _transitioned(self, made: Made) -> Transition:
        see_to_forks()
        return announce((self.name, *made), began(self._binding.store), self._definition.listener)

    def _report(self, fault: BaseException) -> None:
        with lock():
            self._faults += 1
        self._notices.fault(self.name, fault)


def _unpickled(
    cls: type[CircuitBreaker], name: str, given: dict[str, Any], module: str | None, errors: Rejections | None
) -> CircuitBreaker:
    # A subclass may have other arguments; it pickles what it adds itself.
    breaker = cls.__new__(cls)
    CircuitBreaker.__init__(breaker, name, **given)
    breaker._definition = breaker._definition._replace(module=module, errors=errors)
    if errors is not None:
        breaker._reject_with(errors)
    return breaker


def _check_names(changes: Iterable[str]) -> None:
    for name in changes:
        if name not in NAMES:
            known = (*NAMES, *(CircuitBreaker.__init__.__kwdefaults__ or ()))
            hint = suggestions.hint(name, known)
            raise TypeError(f"CircuitBreaker() got an unexpected keyword argument {name!r}{hint}")


def _check_arguments(settings: object, on_transition: object, store: object) -> None:
    if settings is not None and not isinstance(settings, Settings):
        raise TypeError(f"settings must be Settings or None, got {type(settings).__name__}: {shown(settings)}")
    if on_transition is not None and (not callable(on_transition) or is_async(on_transition)):
        kind = type(on_transition).__name__
        plain, hint = (
            ("a plain callable", "; in an event loop use store.events()")
            if callable(on_transition)
            else ("callable", "")
        )
        raise TypeError(f"on_transition must be {plain} or None, got {kind}: {shown(on_transition)}{hint}")
    if store is not None and not isinstance(store, Store):
        raise TypeError(f"store must be a Store or None, got {type(store).__name__}: {shown(store)}")
    if isinstance(store, Store) and not store._is_writable:
        raise StoreReadOnlyError(cast("str", store.name))
