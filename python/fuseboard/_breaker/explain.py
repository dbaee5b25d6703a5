"""A breaker's settings in words."""

from collections.abc import Iterator

from fuseboard._breaker.classify import Lists, Which, names_time_outs, says_nothing
from fuseboard._policy.policies import Failures, SlowRate, percent, seconds
from fuseboard._policy.policies import numbers as rate_numbers
from fuseboard._policy.settings import Settings
from fuseboard._validation import Seconds, microseconds, shown

_DEFAULTS = Settings()
_THOUSAND = 1_000


def words(settings: Settings, lists: Lists, capacity: int, *, shadow: str | None) -> str:
    """What the settings do on a store that counts so many failures, and what they never can do: a sentence a line."""
    opening = _opening(settings, shadow=shadow)
    warnings = (*_never_counts(settings, capacity), *_in_vain(lists), *_warnings(settings))
    return "\n".join([*opening, *_returning(settings), *_meanings(lists), *warnings])


def _opening(settings: Settings, *, shadow: str | None) -> Iterator[str]:
    for policy in settings.policies:
        if not isinstance(policy, Failures):
            yield f"Opens after {policy}."
        elif not settings.clear_on_success:
            # With successes in between they are not in a row.
            yield f"Opens after {policy}.".replace("in a row", "since it closed")
            yield "A success takes no failure away."
        elif policy.threshold > 1 and policy.window is not None:
            yield f"Opens after {policy}, with no success in between."
        else:
            yield f"Opens after {policy}."
    numbers = settings.numbers()
    stays = f"Stays open for {seconds(settings.reset_timeout)}"
    if numbers["multiplier_permille"] > _THOUSAND:
        stays += f", {settings.multiplier:g} times as long after each failed probe, {_longest(numbers['longest_us'])}"
    if settings.jitter:
        stays += f", up to {percent(settings.jitter)} shorter or longer"
    yield f"{stays}."
    if shadow is not None:
        yield f"Rejects nothing: {shadow}."


def _longest(longest_us: int) -> str:
    return f"up to {longest_us / 1e6:g} s"


def _returning(settings: Settings) -> Iterator[str]:
    probes = "one probe" if settings.probes == 1 else f"up to {settings.probes} probes at once"
    yield f"Then lets {probes} through, of all processes together, for {_probe_time(settings)} each."
    success = "a success" if settings.success_threshold == 1 else f"{settings.success_threshold} successes"
    failure = "a failure" if settings.probe_failures == 1 else f"{settings.probe_failures} failures"
    ramp = ""
    if settings.ramp is not None:
        ramp = f", and calls come back from {percent(settings.ramp_from)} to all within {seconds(settings.ramp)}"
    yield f"Closes after {success} of them{ramp}; opens again after {failure}."
    slow = [policy.slow_after for policy in settings.policies if isinstance(policy, SlowRate)]
    if slow:
        yield f"A probe that takes {seconds(min(slow, key=_microseconds))} or more has failed."
    if settings.half_open_timeout is not None:
        yield f"Opens again too if it is half-open for {seconds(settings.half_open_timeout)}."


def _microseconds(value: Seconds) -> int:
    return microseconds("seconds", value)


def _probe_time(settings: Settings) -> str:
    return f"{settings.numbers()['probe_us'] / 1e6:g} s"


def _meanings(lists: Lists) -> Iterator[str]:
    """Which exceptions mean what, in the order in which the lists are asked."""
    call = "A call"
    if lists.ignore != ():
        yield f"{call} that raises {_named(lists.ignore)} says nothing."
        call = "Else a call"
    if lists.success_on != ():
        yield f"{call} that raises {_named(lists.success_on)} was answered, which is a success."
        call = "Else a call"
    first = next(filter(names_time_outs, (lists.ignore, lists.success_on, lists.failure_on)), None)
    time_outs = ", and so has one that a time-out ends" if first is lists.failure_on else ""
    yield f"{call} that raises {_named(lists.failure_on)} has failed{time_outs}."
    if lists.trip_if != ():
        yield f"A call that has failed by {_named(lists.trip_if)} opens the fuse at once."


def _named(which: Which) -> str:
    classes = _classes(which)
    if classes is None:
        return f"what {getattr(which, '__qualname__', None) or shown(which)} picks"
    return " or ".join(cls.__qualname__ for cls in classes)


def _never_counts(settings: Settings, capacity: int) -> Iterator[str]:
    """What is counted otherwise than the settings say, or not at all."""
    threshold = settings.numbers()["threshold"]
    if threshold > capacity:
        yield (
            f"Warning: threshold {threshold} counts as {capacity}, the failures of a fuse that the store counts; use a "
            "store made with more."
        )
    if not threshold and not settings.clear_on_success:
        yield "Warning: clear_on_success does nothing without Failures."


def _in_vain(lists: Lists) -> Iterator[str]:
    """What a list names and another one takes, which is asked before it."""
    ignored, answered = _classes(lists.ignore) or (), _classes(lists.success_on) or ()
    yield from _taken("success_on", answered, {"ignore": ignored})
    counted, before = _classes(lists.failure_on), {"ignore": ignored, "success_on": answered}
    yield from _taken("failure_on", counted or (), before)
    taken = (*ignored, *answered)
    if counted and all(_is_taken(cls, taken) for cls in counted):
        yield "Warning: no exception is a failure: all that failure_on names is ignored or a success."
    idle = tuple(cls for cls in _classes(lists.trip_if) or () if not _may_fail(cls, counted, taken))
    if idle:
        yield f"Warning: trip_if names {_names(idle)}, which {_is(idle)} no failure; failure_on must name it too."


def _taken(
    argument: str, named: tuple[type[BaseException], ...], before: dict[str, tuple[type[BaseException], ...]]
) -> Iterator[str]:
    """A warning for each class that a list names in vain."""
    for cls in named:
        if says_nothing(cls):
            yield f"Warning: {argument} names {cls.__qualname__} in vain, as that is always ignored."
            continue
        for earlier, classes in before.items():
            above = [one for one in classes if issubclass(cls, one)]
            if above:
                why = f"as {earlier} names {above[0].__qualname__} and is asked first"
                yield f"Warning: {argument} names {cls.__qualname__} in vain, {why}."
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
    return ", ".join(cls.__qualname__ for cls in classes)


def _is(classes: tuple[object, ...]) -> str:
    return "is" if len(classes) == 1 else "are"


def _warnings(settings: Settings) -> Iterator[str]:
    numbers = settings.numbers()
    if 0 < numbers["half_open_us"] <= numbers["probe_us"]:
        yield (
            "Warning: a probe may take longer than the fuse may be half-open: one that does is late, and the fuse "
            "opens again; make half_open_timeout longer than probe_timeout."
        )
    for policy in settings.policies:
        rate = rate_numbers(policy)
        if rate is not None and rate[3] > numbers["probe_us"]:
            times = f"after {_probe_time(settings)}, and slow is {rate[3] / 1e6:g} s"
            yield f"Warning: a probe is given up before it can be slow, {times}; make probe_timeout longer."
    if numbers["ramp_us"] and settings.ramp_from == 1:
        yield "Warning: the ramp does nothing, as all calls pass at first."
    if settings.ramp is None and settings.ramp_from != _DEFAULTS.ramp_from:
        yield "Warning: ramp_from does nothing without a ramp."
    if settings.multiplier > 1 and numbers["multiplier_permille"] == _THOUSAND:
        yield "Warning: the open time never grows, as multiplier counts in thousandths."
    elif settings.multiplier > 1 and numbers["longest_us"] == numbers["reset_us"]:
        yield "Warning: the open time never grows, as max_reset_timeout is reset_timeout."
