"""A breaker's settings in words."""

from collections.abc import Iterator

from fuseboard._policies import Failures, percent, seconds
from fuseboard._policies import numbers as rate_numbers
from fuseboard._settings import Settings

_DEFAULTS = Settings()


def words(settings: Settings, *, is_shadow: bool) -> str:
    """What the settings will do, and what they can never do: a sentence a line."""
    return "\n".join([*_opening(settings, is_shadow=is_shadow), *_returning(settings), *_warnings(settings)])


def _opening(settings: Settings, *, is_shadow: bool) -> Iterator[str]:
    for policy in settings.policies:
        if settings.clear_on_success or not isinstance(policy, Failures):
            yield f"Opens after {policy}."
            continue
        # With successes in between they are not in a row.
        yield f"Opens after {policy}.".replace("in a row", "since it closed")
        yield "A success takes no failure away."
    numbers = settings.numbers()
    stays = f"Stays open for {seconds(settings.reset_timeout)}"
    if numbers["multiplier_permille"] > 1_000:  # noqa: PLR2004 - thousandths
        stays += f", {settings.multiplier:g} times as long after each failed probe, {_longest(numbers['longest_us'])}"
    if settings.jitter:
        stays += f", up to {percent(settings.jitter)} shorter or longer"
    yield f"{stays}."
    if is_shadow:
        yield "Rejects nothing: it is a shadow."


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
    if settings.half_open_timeout is not None:
        yield f"Opens again too if it is half-open for {seconds(settings.half_open_timeout)}."


def _probe_time(settings: Settings) -> str:
    return f"{settings.numbers()['probe_us'] / 1e6:g} s"


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
    if settings.multiplier > 1 and numbers["longest_us"] == numbers["reset_us"]:
        yield "Warning: the open time never grows, as max_reset_timeout is reset_timeout."
