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
    opens = "Opens"
    for policy in settings.policies:
        if isinstance(policy, Failures):
            yield from _counting(opens, policy, clears=settings.clear_on_success)
        else:
            yield f"{opens} when {policy}."
        opens = "Also opens"
    jitter = f", up to {percent(settings.jitter)} shorter or longer at random" if settings.jitter else ""
    yield f"Stays open for {seconds(settings.reset_timeout)}{jitter}."
    numbers = settings.numbers()
    if numbers["multiplier_permille"] > _THOUSAND:
        longest = f"{numbers['longest_us'] / 1e6:g} s"
        yield f"Each failed probe multiplies the open time by {settings.multiplier:g}, up to {longest}."
    if shadow is not None:
        yield f"Rejects no calls, because {shadow}."


def _counting(opens: str, policy: Failures, *, clears: bool) -> Iterator[str]:
    if policy.threshold == 1:
        yield f"{opens} after {policy}."
    elif not clears:
        # With successes in between they are not in a row.
        yield f"{opens} after {policy}.".replace("in a row", "since it last closed")
    else:
        yield f"{opens} after {policy}{'' if policy.window is None else ' without a success in between'}."
    if not clears:
        yield "A success does not reset the count of failures."


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
        share = percent(settings.ramp_from)
        yield (
            f"After {successes} it lets {share} of the calls through, then more and more of them, and closes after "
            f"{seconds(settings.ramp)}."
        )
        yield f"Reopens after {failures}."
    slow = [policy.slow_after for policy in settings.policies if isinstance(policy, SlowRate)]
    if slow:
        yield f"A probe that takes {seconds(min(slow, key=_microseconds))} or longer counts as failed."
    if settings.half_open_timeout is not None:
        yield f"Also reopens after {seconds(settings.half_open_timeout)} in the half-open state."


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _microseconds(value: Seconds) -> int:
    return microseconds("seconds", value)


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
    time_outs = "; so does a call that a timeout stops" if first is lists.failure_on else ""
    yield f"{call} that raises {_named(lists.failure_on)} counts as a failure{time_outs}."
    if lists.trip_if != ():
        yield f"A call that fails with {_named(lists.trip_if)} opens the fuse at once."


def _named(which: Which) -> str:
    classes = _classes(which)
    if classes is None:
        return f"an exception selected by {getattr(which, '__qualname__', None) or shown(which)}"
    return " or ".join(cls.__qualname__ for cls in classes)


def _never_counts(settings: Settings, capacity: int) -> Iterator[str]:
    """What is counted otherwise than the settings say, or not at all."""
    threshold = settings.numbers()["threshold"]
    if threshold > capacity:
        yield (
            f"Warning: threshold {threshold} counts as {capacity}, because the store counts no more failures of a fuse."
            f" Use a store made with failures={threshold}."
        )
    if not threshold and not settings.clear_on_success:
        yield "Warning: clear_on_success has no effect, because the policy has no Failures."


def _in_vain(lists: Lists) -> Iterator[str]:
    """What a list names and another one takes, which is asked before it."""
    ignored, answered = _classes(lists.ignore) or (), _classes(lists.success_on) or ()
    yield from _taken("success_on", answered, {"ignore": ignored})
    counted, before = _classes(lists.failure_on), {"ignore": ignored, "success_on": answered}
    yield from _taken("failure_on", counted or (), before)
    taken = (*ignored, *answered)
    if counted and all(_is_taken(cls, taken) for cls in counted):
        yield "Warning: no exception counts as a failure, because ignore or success_on takes all that failure_on names."
    idle = tuple(cls for cls in _classes(lists.trip_if) or () if not _may_fail(cls, counted, taken))
    if idle:
        count = "counts" if len(idle) == 1 else "count"
        yield f"Warning: trip_if names {_names(idle)}, which never {count} as a failure."


def _taken(
    argument: str, named: tuple[type[BaseException], ...], before: dict[str, tuple[type[BaseException], ...]]
) -> Iterator[str]:
    """A warning for each class that a list names in vain."""
    for cls in named:
        if says_nothing(cls):
            yield f"Warning: {argument} names {cls.__qualname__}, but {cls.__qualname__} is always ignored."
            continue
        for earlier, classes in before.items():
            above = [one for one in classes if issubclass(cls, one)]
            if above:
                why = f"but {earlier} names {above[0].__qualname__} and is checked first"
                yield f"Warning: {argument} names {cls.__qualname__}, {why}."
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


def _warnings(settings: Settings) -> Iterator[str]:
    numbers = settings.numbers()
    if 0 < numbers["half_open_us"] <= numbers["probe_us"]:
        yield (
            f"Warning: a probe may take {_probe_time(settings)}, but the fuse reopens after "
            f"{numbers['half_open_us'] / 1e6:g} s in the half-open state. "
            "Make half_open_timeout longer than probe_timeout."
        )
    for policy in settings.policies:
        rate = rate_numbers(policy)
        if rate is not None and rate[3] > numbers["probe_us"]:
            yield (
                f"Warning: a probe must finish within {_probe_time(settings)}, so it never takes the "
                f"{rate[3] / 1e6:g} s of a slow call. Make probe_timeout longer."
            )
    if numbers["ramp_us"] and settings.ramp_from == 1:
        yield "Warning: ramp has no effect, because ramp_from=1 lets all calls through from the start."
    if settings.ramp is None and settings.ramp_from != _DEFAULTS.ramp_from:
        yield "Warning: ramp_from has no effect without ramp."
    if settings.multiplier > 1 and numbers["multiplier_permille"] == _THOUSAND:
        yield "Warning: the open time never grows, because multiplier is rounded to thousandths, here to 1."
    elif settings.multiplier > 1 and numbers["longest_us"] == numbers["reset_us"]:
        yield "Warning: the open time never grows, because max_reset_timeout is equal to reset_timeout."
