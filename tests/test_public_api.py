"""The public API: what there is, pinned. A change here is a change for users, and belongs into the changelog."""

import enum
import inspect
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

import fuseboard
from fuseboard import (
    CircuitBreaker,
    Counts,
    Events,
    FuseCounts,
    FuseSnapshot,
    FuseState,
    Leader,
    Permit,
    Settings,
    State,
    Store,
    Subscription,
    Transition,
    errors,
    testing,
)

PUBLIC = [
    "AnyOf", "Cause", "CircuitBreaker", "CircuitIsolatedError", "CircuitOpenError", "Counts", "Events", "Failure",
    "FailureRate", "Failures", "FuseCounts", "FuseSnapshot", "FuseState", "FuseboardError", "Leader", "Outcome",
    "Permit", "Policy", "RateCount", "Settings", "SlowRate", "State", "Store", "StoreFullError", "StoreOpenError",
    "StoreReadOnlyError", "Subscription", "Transition", "TripError",
]  # fmt: skip

SIGNATURES = {
    "CircuitBreaker": (
        "(name, *, settings=None, failure_on=<class 'Exception'>, success_on=(), ignore=(), failure_if=None, "
        "trip_if=(), open_for=None, fallback=None, shadow=False, on_transition=None, store=None, **changes)"
    ),
    "CircuitBreaker.__call__": "(self, function)",
    "CircuitBreaker.acall": "(self, function, /, *args, **kwargs)",
    "CircuitBreaker.call": "(self, function, /, *args, **kwargs)",
    "CircuitBreaker.check": "(self)",
    "CircuitBreaker.disable": "(self, *, why=None, who=None, for_=None)",
    "CircuitBreaker.explain": "(self)",
    "CircuitBreaker.for_key": "(self, key)",
    "CircuitBreaker.isolate": "(self, *, why=None, who=None, for_=None)",
    "CircuitBreaker.permit": "(self)",
    "CircuitBreaker.raising": "(self, open_error, isolated_error)",
    "CircuitBreaker.rates": "(self)",
    "CircuitBreaker.reset": "(self, *, why=None, who=None)",
    "CircuitBreaker.wait": "(self, timeout=None)",
    "CircuitBreaker.wait_async": "(self, timeout=None)",
    "CircuitBreaker.with_fallback": "(self, fallback)",
    "CircuitIsolatedError": "(name, state, retry_after, lease_remaining=None)",
    "CircuitOpenError": "(name, state, retry_after, lease_remaining=None)",
    "Events.close": "(self)",
    "Events.take": "(self, timeout=None)",
    "FuseState": "(state, since=None)",
    "Failure": "(error=None, *, retry_after=None, trip=False, label=None)",
    "FailureRate": "(failure_rate, *, window=None, calls=None, min_calls=None)",
    "Failures": "(threshold=5, window=10.0)",
    "Counts.done": "(self)",
    "Leader.counts": "(self)",
    "Leader.lead": "(self)",
    "Leader.resign": "(self)",
    "Permit.failure": "(self, error=None, *, retry_after=None, trip=False, label=None)",
    "Permit.ignore": "(self)",
    "Permit.stop_clock": "(self)",
    "Permit.success": "(self)",
    "Settings": (
        "(*, threshold=5, window=10.0, policy=None, reset_timeout=30.0, multiplier=1.0, max_reset_timeout=None, "
        "jitter=0.0, probes=1, success_threshold=1, probe_failures=1, probe_timeout=None, half_open_timeout=None, "
        "ramp=None, ramp_from=0.1, clear_on_success=True)"
    ),
    "Settings.from_mapping": "(mapping)",
    "SlowRate": "(slow_rate, *, slow_after, window=None, calls=None, min_calls=None)",
    "Store.all_states": "(self, /)",
    "Store.close": "(self)",
    "Store.default": "()",
    "Store.disable": "(self, fuse, *, why=None, who=None, for_=None)",
    "Store.events": "(self, since=None)",
    "Store.existing": "(name, *, folder=None, writable=False)",
    "Store.isolate": "(self, fuse, *, why=None, who=None, for_=None)",
    "Store.journal": "(self)",
    "Store.leader": "(self, purpose, *, lease=0.75)",
    "Store.now": "(self, /)",
    "Store.private": "(*, fuses=1024, failures=None, clock=None)",
    "Store.record_failure": "(self, fuse, window)",
    "Store.record_success": "(self, /, fuse)",
    "Store.remove": "(self, /, fuse)",
    "Store.reset": "(self, fuse, *, why=None, who=None)",
    "Store.reset_all": "(self)",
    "Store.set_closed": "(self, fuse)",
    "Store.set_half_open": "(self, fuse)",
    "Store.set_open": "(self, fuse)",
    "Store.settings": "(self, fuse)",
    "Store.shared": "(name, *, fuses=1024, failures=None, strict=False, clock=None)",
    "Store.snapshot": "(self, /)",
    "Store.state": "(self, /, fuse)",
    "Store.subscribe": "(self, listener)",
    "StoreFullError": "(store, fuse)",
    "StoreOpenError": "(store, path, reason, detail, is_transient=False)",
    "StoreReadOnlyError": "(store)",
    "Subscription.close": "(self)",
    "Transition": "(fuse, before, after, at, cause, error, pid, generation, time, until=None, who=None, why=None)",
    "TripError": "(message='', retry_after=None)",
}

ATTRIBUTES = {
    CircuitBreaker: ["faults", "name", "settings", "state", "store"],
    FuseSnapshot: [
        "closes", "failed_probes", "failures", "generation", "ignored", "is_local", "last_failure", "late_outcomes",
        "module", "name", "probes", "rejections", "settings_changes", "since", "slow", "state", "successes", "trips",
        "until", "who", "why", "window_failures",
    ],
    FuseState: ["since", "state"],
    Events: ["cursor", "is_closed", "is_resumed", "lost"],
    Leader: ["is_leader", "pid", "purpose", "term"],
    Store: [
        "failure_capacity", "fuse_capacity", "is_removed", "is_shared", "journal_dropped", "overflowed", "path",
        "size_bytes",
    ],
    Subscription: ["lost"],
}  # fmt: skip

FIELDS = {
    FuseCounts: [
        "successes", "failures", "ignored", "rejections", "late_outcomes", "probes", "trips", "closes", "slow",
    ],
    Settings: [
        "threshold", "window", "policy", "reset_timeout", "multiplier", "max_reset_timeout", "jitter", "probes",
        "success_threshold", "probe_failures", "probe_timeout", "half_open_timeout", "ramp", "ramp_from",
        "clear_on_success",
    ],
    Transition: ["fuse", "before", "after", "at", "cause", "error", "pid", "generation", "time", "until", "who", "why"],
}  # fmt: skip


def defined_in(module: ModuleType) -> list[str]:
    """Public names of classes and functions that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def signature_of(path: str) -> str:
    """A signature without annotations, which ``tests/typing/api.py`` pins."""
    thing: object = fuseboard
    for name in path.split("."):
        thing = getattr(thing, name)
    signature = inspect.signature(thing)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def test_the_package_exports_what_it_says() -> None:
    """``__all__`` is sorted, complete and true."""
    assert PUBLIC == fuseboard.__all__ == sorted(fuseboard.__all__)
    found = [name for name, value in vars(fuseboard).items() if name[0] != "_" and not inspect.ismodule(value)]
    assert PUBLIC == sorted(found)


@pytest.mark.parametrize("module", [errors, testing])
def test_documented_modules_export_what_they_define(module: ModuleType) -> None:
    """Modules without an underscore are public: their ``__all__`` is sorted and complete."""
    assert sorted(defined_in(module)) == sorted(module.__all__) == list(module.__all__)


def test_every_error_is_exported() -> None:
    """What can be raised can be caught by a name of the package."""
    assert set(defined_in(errors)) <= set(fuseboard.__all__)


@pytest.mark.parametrize(("path", "expected"), SIGNATURES.items(), ids=SIGNATURES)
def test_signatures_are_pinned(path: str, expected: str) -> None:
    """Names, order, kinds and defaults of arguments are for ever."""
    assert expected == signature_of(path)


@pytest.mark.parametrize(("cls", "expected"), ATTRIBUTES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_attributes_are_pinned(cls: type, expected: list[str]) -> None:
    """Names of what can be read are for ever, and each says what it is."""
    found = [name for name in dir(cls) if not name.startswith("_") and not callable(getattr(cls, name))]
    assert expected == found


@pytest.mark.parametrize(("cls", "expected"), FIELDS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_fields_are_pinned(cls: type, expected: list[str]) -> None:
    """Names and order of fields are for ever."""
    assert expected == list(inspect.signature(cls).parameters)


def test_every_method_is_pinned() -> None:
    """No method becomes public by accident."""
    pinned = {tuple(path.split(".")) for path in SIGNATURES if "." in path and "Settings" not in path}
    found = {
        (cls.__name__, name)
        for cls in (CircuitBreaker, Counts, Events, Leader, Permit, Store, Subscription)
        for name in dir(cls)
        if not name.startswith("_") and callable(getattr(cls, name)) and name not in dir(Mapping)
    }
    own = {("CircuitBreaker", "__call__")}
    assert pinned == found | own


def test_states_are_pinned() -> None:
    """Words and order of states are for ever."""
    assert issubclass(State, enum.Enum)
    assert ["CLOSED", "OPEN", "HALF_OPEN", "ISOLATED", "DISABLED", "RAMPING"] == list(State.__members__)


@pytest.mark.parametrize("name", sorted({*PUBLIC} - {"FuseSnapshot", "FuseState"}))
def test_every_public_name_is_documented(name: str) -> None:
    """And so are its public members. The compiled classes have their manual in the stub."""
    thing = getattr(fuseboard, name)
    assert inspect.getdoc(thing)
    members = {key: value for key, value in vars(thing).items() if not key.startswith("_") and callable(value)}
    assert [] == [key for key, value in members.items() if not inspect.getdoc(value)]


BARE = """
import sys
for name in ("pytest", "httpx", "rich", "hypothesis", "anyio", "typing_extensions", "redis", "asyncio"):
    sys.modules[name] = None
before = set(sys.modules)
import fuseboard, fuseboard.errors, fuseboard.testing
breaker = fuseboard.CircuitBreaker("db", store=fuseboard.Store.private())
assert breaker(lambda: 7)() == 7
files = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
assert {} == {name: file for name, file in files.items() if "site-packages" in file and "fuseboard" not in file}
print(sorted(set(fuseboard.__all__) - set(dir(fuseboard))))
"""


def test_the_base_package_needs_nothing_else() -> None:
    """It imports and guards with no other package, not even an optional one, and without an event loop."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-I", "-c", BARE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, "[]\n", "") == (done.returncode, done.stdout, done.stderr)


def test_the_package_is_typed() -> None:
    """The marker and the stub are where type checkers look."""
    (folder,) = fuseboard.__path__
    assert {"py.typed", "_core.pyi"} <= {path.name for path in Path(folder).iterdir()}
