"""Which name was meant, where an argument or an environment variable has an unknown name."""

import os
from collections.abc import Collection, Iterable

from fuseboard._events.log import logger
from fuseboard._once import Once

_ELSEWHERE = {
    "threshold": (
        "consecutive_failures error_threshold fail_max fail_threshold failure_count failure_limit failure_threshold "
        "failures max_failures maximum_failures"
    ),
    "window": "error_timeout failure_window interval",
    "reset_timeout": (
        "break_duration cool_down cooldown cooldown_period duration_of_break open_timeout recovery_time "
        "recovery_timeout reset_timeout_seconds retry_timeout sleep_window timeout timeout_duration ttl "
        "wait_duration_in_open_state"
    ),
    "success_threshold": "permitted_number_of_calls_in_half_open_state recovery_threshold success_count",
    "probes": "half_open_max_calls half_open_requests max_requests",
    "failure_on": (
        "catch exception exceptions expected_exception expected_exceptions failure_exceptions record_exceptions "
        "should_handle"
    ),
    "success_on": "exclude is_successful",
    "ignore": "excluded_exceptions ignore_exceptions ignored_exceptions is_excluded",
    "failure_if": "fail_if record_result",
    "fallback": "fallback_function",
    "on_transition": "listener listeners on_break on_close on_open on_opened on_state_change",
    "store": "backend state_storage storage",
    "policy": (
        "calls error_rate error_ratio failure_rate failure_rate_threshold failure_ratio min_calls "
        "minimum_number_of_calls minimum_throughput ready_to_trip sampling_duration sliding_window_size slow_after "
        "slow_call_duration_threshold slow_call_rate_threshold slow_rate"
    ),
}
"""The names of our arguments in other libraries, as in ``docs/how-to/migrate.md``, and those of a policy's."""
_MEANT = {name: ours for ours, names in _ELSEWHERE.items() for name in names.split()}
_OURS = "FUSEBOARD_"
_PROCESS = ("dir", "store", "shadow")
"""The variables that belong to no fuse."""
_SWITCHES = ("bypass", "disable", "disabled", "enabled", "off")
"""Other names for the variable that makes breakers reject nothing."""
_ALIKE, _ALIKE_SHORT = 0.75, 0.8
"""How alike a name and its mistyped form are at least, as ``difflib`` measures it. Short names need more."""
_looked = Once(4096)
"""Prefixes whose variables were looked through: those of the first few thousand fuses."""


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the name that was meant, or all known names."""
    known = tuple(known)
    meant = _MEANT.get(name.lower())
    if meant not in known:
        meant = _nearest(name.lower(), known)[1]
    if meant == "policy" and name.lower() in _MEANT:
        return "; it belongs in a policy, such as policy=FailureRate(0.5, window=30, min_calls=20)"
    return f"; did you mean {meant!r}?" if meant else f"; the known names are {', '.join(known)}"


def log_mistyped(fuse: str, prefix: str, settings: tuple[str, ...]) -> None:
    """Logs, once, each variable that begins like those of a fuse, changes nothing, and looks like a mistyped setting.

    Not one that may belong to another fuse: the variables of a fuse ``payments_db`` begin like those of ``payments``.
    """
    is_first = not _looked
    if not _looked.is_first(prefix):
        return
    for variable in [name for name in os.environ if name.upper().startswith(_OURS)]:
        if not os.environ.get(variable, "").strip():
            continue
        _log(variable, _of_the_fuse(variable.upper(), prefix, settings), f"breaker {fuse!r} has no such setting")
        if is_first:
            _log(variable, _of_the_process(variable.upper(), settings), "Fuseboard has no such variable")


def _log(variable: str, meant: str | None, what: str) -> None:
    if meant is not None and meant != variable:
        logger.warning("environment variable %s has no effect: %s. Did you mean %s?", variable, what, meant)


def _of_the_process(variable: str, settings: tuple[str, ...]) -> str | None:
    """The variable of the process that was meant by this one."""
    rest = variable.removeprefix(_OURS).lower()
    if _is_of_a_fuse(rest, settings):
        return None
    meant = "shadow" if rest in _SWITCHES else _nearest(rest, _PROCESS, _ALIKE_SHORT)[1]
    return meant and _OURS + meant.upper()


def _of_the_fuse(variable: str, prefix: str, settings: tuple[str, ...]) -> str | None:
    """The variable of the fuse that was meant by this one."""
    meant = _setting(variable.removeprefix(prefix).lower(), settings) if variable.startswith(prefix) else None
    return meant and prefix + meant.upper()


def _setting(rest: str, settings: tuple[str, ...]) -> str | None:
    """The setting that was meant, by the rest of a variable's name behind the fuse's prefix; None if none was."""
    if rest in settings:
        return rest
    if _MEANT.get(rest) in settings:
        return _MEANT[rest]
    if _is_of_a_fuse(rest, settings):
        return None
    likeness, meant = _nearest(rest, settings)
    words = rest.split("_")
    # If its end alone is more like a setting, the part before that belongs to a longer name of another fuse.
    ends = ("_".join(words[begin:]) for begin in range(1, len(words)))
    return None if any(_nearest(end, settings)[0] > likeness for end in ends) else meant


def _is_of_a_fuse(rest: str, settings: tuple[str, ...]) -> bool:
    return any(rest.endswith(f"_{setting}") for setting in settings)


def _nearest(name: str, known: Collection[str], alike: float = _ALIKE) -> tuple[float, str | None]:
    """The name that is most like this one, and how alike they are; None if no name is like it."""
    if name in known:
        return 1.0, name
    try:
        import difflib  # noqa: PLC0415 - for mistakes alone
    except ImportError:  # a process that gave up its rights may no longer read the library
        return 0.0, None

    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(name)
    best: tuple[float, str | None] = (0.0, None)
    for candidate in known:
        matcher.set_seq1(candidate)
        likeness = matcher.ratio()
        if likeness >= alike and likeness > best[0]:
            best = (likeness, candidate)
    return best
