"""A breaker's settings in words."""

from collections.abc import Callable, Iterator
from typing import Any

from fuseboard._breaker.classify import Lists, Which, names_time_outs, says_nothing
from fuseboard._breaker.definition import Definition
from fuseboard._policy.policies import Failures, SlowRate, percent, seconds
from fuseboard._policy.policies import numbers as rate_numbers
from fuseboard._policy.settings import Settings
from fuseboard._validation import Seconds, microseconds, shown

_DEFAULTS = Settings()
_THOUSAND = 1_000


def words(settings: Settings, definition: Definition, capacity: int, *, shadow: str | None) -> str:
    """What the settings do on a store that counts so many failures, and what has no effect: one idea per line."""
    lists = definition.lists
    opening = _opening(settings, asks=definition.open_for is not None)
    meanings = (*_meanings(lists), *_results(definition.failure_if))
    warnings = (*_never_counts(settings, capacity), *_in_vain(lists), *_warnings(settings))
    return "\n".join([*_rejecting(shadow), *opening, *_returning(settings), *meanings, *warnings])


def _rejecting(shadow: str | None) -> Iterator[str]:
    if shadow is not None:
        yield f"Rejects no calls, because {shadow}. The lines below say what it would do otherwise."


def _opening(settings: Settings, *, asks: bool) -> Iterator[str]:
    opens = "Opens"
    for policy in settings.policies:
        if isinstance(policy, Failures):
            yield from _counting(opens, policy, clears=settings.clear_on_success)
        else:
            yield f"{opens} when {policy}."
        opens = "Also opens"
    yield f"Stays open for {seconds(settings.reset_timeout)}."
    if settings.jitter:
        yield f"Jitter makes each open time up to {percent(settings.jitter)} shorter or longer, at random."
    if asks:
        least, most = seconds(settings.reset_timeout), _longest(settings)
        yield f"open_for can choose another open time, from {least} to {most}."


def _counting(opens: str, policy: Failures, *, clears: bool) -> Iterator[str]:
    if policy.threshold == 1:
        yield f"{opens} after {policy}."
    elif not clears:
        # With successes in between they are not in a row.
        since = f"{opens} after {policy}.".replace("in a row", "since the fuse last closed")
        yield f"{since} A success does not reset the count."
    elif policy.window is None:
        yield f"{opens} after {policy}."
    else:
        yield f"{opens} after {policy}. A success resets the count."


def _returning(settings: Settings) -> Iterator[str]:
    probes = "one probe" if settings.probes == 1 else f"up to {settings.probes} probes"
    yield (
        f"Then lets {probes} through at a time, across all processes. "
        f"A probe must finish within {_probe_time(settings)}."
    )
    successes = _several(settings.success_threshold, "successful probe")
    failures = _several(settings.probe_failures, "failed probe")
    if settings.ramp is None:
        yield f"Closes after {successes}; reopens after {failures}."
    else:
        is_all = settings.ramp_from == 1
        share = (
            "all calls through" if is_all else f"{percent(settings.ramp_from)} of the calls through, then more and more"
        )
        yield f"Reopens after {failures}."
        yield f"After {successes}, lets {share}. Closes {seconds(settings.ramp)} later."
    slow = [policy.slow_after for policy in settings.policies if isinstance(policy, SlowRate)]
    if slow:
        yield f"A probe that takes {seconds(min(slow, key=_microseconds))} or longer counts as failed."
    if settings.half_open_timeout is not None:
        yield f"Also reopens when it has been half-open for {seconds(settings.half_open_timeout)}."
    if settings.numbers()["multiplier_permille"] > _THOUSAND:
        most = _longest(settings)
        yield f"Each time it reopens, the open time is multiplied by {settings.multiplier:g}, up to {most}."


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _microseconds(value: Seconds) -> int:
    return microseconds("seconds", value)


def _longest(settings: Settings) -> str:
    return f"{settings.numbers()['longest_us'] / 1e6:g} s"


def _probe_time(settings: Settings) -> str:
    return f"{settings.numbers()['probe_us'] / 1e6:g} s"


def _meanings(lists: Lists) -> Iterator[str]:
    """Which exceptions mean what, in the order in which the lists are asked."""
    call = "A call"
    if lists.ignore != ():
        yield f"{call} that raises {_named(lists.ignore)} is ignored: it is neither a success nor a failure."
        call = "Otherwise, a call"
    if lists.success_on != ():
        yield f"{call} that raises {_named(lists.success_on)} counts as a success."
        call = "Otherwise, a call"
    first = next(filter(names_time_outs, (lists.ignore, lists.success_on, lists.failure_on)), None)
    yield f"{call} that raises {_named(lists.failure_on)} counts as a failure."
    if first is lists.failure_on:
        yield "A timeout that is not an Exception, such as gevent.Timeout, also counts as a failure."
    if lists.trip_if != ():
        yield f"A call that fails with {_named(lists.trip_if)} opens the fuse at once."


def _results(failure_if: Callable[[Any], object] | None) -> Iterator[str]:
    if failure_if is not None:
        yield f"A call that returns a result selected by {_function(failure_if)} counts as a failure."


def _named(which: Which) -> str:
    classes = _classes(which)
    if classes is None:
        return f"an exception selected by {_function(which)}"
    return " or ".join(cls.__qualname__ for cls in classes)


def _function(function: object) -> str:
    name = getattr(function, "__qualname__", None) or shown(function)
    return "a lambda" if name.endswith("<lambda>") else name


def _never_counts(settings: Settings, capacity: int) -> Iterator[str]:
    """What is counted otherwise than the settings say, or not at all."""
    threshold = settings.numbers()["threshold"]
    if threshold > capacity:
        yield (
            f"Warning: the threshold is {capacity}, not {threshold}, because the store counts at most {capacity} "
            f"failures per fuse. Use a store made with failures={threshold}."
        )
    if not threshold and not settings.clear_on_success:
        yield "Warning: clear_on_success has no effect, because the policy does not include Failures."


def _in_vain(lists: Lists) -> Iterator[str]:
    """What a list names and another one takes, which is asked before it."""
    ignored, successes = _classes(lists.ignore) or (), _classes(lists.success_on) or ()
    yield from _taken("success_on", successes, {"ignore": ignored})
    counted, before = _classes(lists.failure_on), {"ignore": ignored, "success_on": successes}
    yield from _taken("failure_on", counted or (), before)
    taken = (*ignored, *successes)
    if counted and all(_is_taken(cls, taken) for cls in counted):
        yield (
            "Warning: no exception counts as a failure, because every class in failure_on is ignored or counts as a "
            "success."
        )
    idle = tuple(cls for cls in _classes(lists.trip_if) or () if not _may_fail(cls, counted, taken))
    if idle:
        count = "it never counts as a failure" if len(idle) == 1 else "they never count as failures"
        yield f"Warning: {_names(idle)} in trip_if {'has' if len(idle) == 1 else 'have'} no effect, because {count}."


def _taken(
    argument: str, named: tuple[type[BaseException], ...], before: dict[str, tuple[type[BaseException], ...]]
) -> Iterator[str]:
    """A warning for each class that has no effect in a list."""
    for cls in named:
        if says_nothing(cls):
            yield f"Warning: {cls.__qualname__} in {argument} has no effect, because it is always ignored."
            continue
        for earlier, classes in before.items():
            above = [one for one in classes if issubclass(cls, one)]
            if above:
                why = f"because {earlier} names {above[0].__qualname__} and is checked first"
                yield f"Warning: {cls.__qualname__} in {argument} has no effect, {why}."
                break


def _classes(which: Which) -> tuple[type[BaseException], ...] | None:
    """The classes that are meant; None for a predicate, of which nobody knows."""
    if isinstance(which, tuple):
        return which
    return (which,) if isinstance(which, type) else None


def _is_taken(cls: type[BaseException], taken: tuple[type[BaseException], ...]) -> bool:
    return says_nothing(cls) or issubclass(cls, taken)


def _may_fail(
    cls: type[BaseException],
    counted: tuple[type[BaseException], ...] | None,
    taken: tuple[type[BaseException], ...],
) -> bool:
    """Whether something of this class, or of one below it, may be a failure."""
    is_counted = counted is None or any(issubclass(cls, one) or issubclass(one, cls) for one in counted)
    return is_counted and not _is_taken(cls, taken)


def _names(classes: tuple[type[BaseException], ...]) -> str:
    return " and ".join(cls.__qualname__ for cls in classes)


def _warnings(settings: Settings) -> Iterator[str]:
    numbers = settings.numbers()
    if 0 < numbers["half_open_us"] <= numbers["probe_us"]:
        yield (
            f"Warning: a probe may take {_probe_time(settings)}, but the fuse reopens when it has been half-open for "
            f"{numbers['half_open_us'] / 1e6:g} s. "
            "Make half_open_timeout longer than probe_timeout."
        )
    for policy in settings.policies:
        rate = rate_numbers(policy)
        if rate is not None and rate[3] > numbers["probe_us"]:
            yield (
                f"Warning: a probe must finish within {_probe_time(settings)}, but only a call of "
                f"{rate[3] / 1e6:g} s or longer is slow. Make probe_timeout longer than slow_after."
            )
    if numbers["ramp_us"] and settings.ramp_from == 1:
        yield "Warning: ramp has no effect, because ramp_from=1 lets all calls through from the start."
    if settings.ramp is None and settings.ramp_from != _DEFAULTS.ramp_from:
        yield "Warning: ramp_from has no effect without ramp."
    if settings.multiplier > 1 and numbers["multiplier_permille"] == _THOUSAND:
        yield "Warning: the open time never grows, because multiplier is rounded to three decimals, which gives 1."
    elif settings.multiplier > 1 and numbers["longest_us"] == numbers["reset_us"]:
        yield "Warning: the open time never grows, because max_reset_timeout is equal to reset_timeout."
