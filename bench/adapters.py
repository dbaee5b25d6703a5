"""The peers: one small adapter for each other breaker, so that all are asked the same things.

An adapter sets its peer up as its manual shows, to open after so many failures in a row (or, where it knows only rates,
when half of at least so many calls have failed) and to stay open for a day. What a peer cannot do stands in ``cannot``,
and a peer that is not installed is a fault: both are reported.
"""

import datetime as dt
import importlib
import itertools
import os
from collections.abc import Callable
from typing import Any, cast

from bench.peer import Decorator, MakeDecorator, Peer

DAY = 86_400
NEVER = 1_000_000_000
"""A number of failures that is not reached."""
REDIS_PORT = "FUSEBOARD_BENCH_REDIS_PORT"
"""The environment variable that says where the Redis server listens."""
ONLY_ASYNC = "it guards coroutine functions only"
NO_BLOCKS = "it has no context manager"
NO_ASYNC_BLOCKS = "it has no asynchronous context manager"

_names = (f"bench-{number}" for number in itertools.count())


def _pybreaker(state_storage: Callable[[], Any] = lambda: None, name: str = "pybreaker") -> Peer:
    library: Any = importlib.import_module("pybreaker")

    def breaker(threshold: int) -> Any:
        return library.CircuitBreaker(fail_max=threshold, reset_timeout=DAY, state_storage=state_storage())

    return Peer(
        name=name,
        rejection=library.CircuitBreakerError,
        guard=breaker,
        make_block=breaker(NEVER).calling,
        cannot={"async": "only with Tornado", "async with": NO_ASYNC_BLOCKS},
    )


def _pybreaker_redis() -> Peer:
    port = os.environ.get(REDIS_PORT)
    if port is None:
        raise LookupError("no redis-server here")
    redis: Any = importlib.import_module("redis")
    library: Any = importlib.import_module("pybreaker")
    client = redis.Redis(host="127.0.0.1", port=int(port))
    client.ping()

    def storage() -> Any:
        return library.CircuitRedisStorage(library.STATE_CLOSED, client, namespace=next(_names))

    return _pybreaker(storage, "pybreaker, Redis")


def _circuitbreaker() -> Peer:
    library: Any = importlib.import_module("circuitbreaker")

    def breaker(threshold: int) -> Any:
        return library.CircuitBreaker(failure_threshold=threshold, recovery_timeout=DAY, name=next(_names))

    return Peer(
        name="circuitbreaker",
        rejection=library.CircuitBreakerError,
        guard=breaker,
        async_guard=breaker,
        block=breaker(NEVER),
        cannot={"async with": NO_ASYNC_BLOCKS},
    )


def _aiobreaker() -> Peer:
    library: Any = importlib.import_module("aiobreaker")

    def breaker(threshold: int) -> Any:
        return library.CircuitBreaker(fail_max=threshold, timeout_duration=dt.timedelta(days=1))

    return Peer(
        name="aiobreaker",
        rejection=library.CircuitBreakerError,
        guard=breaker,
        async_guard=breaker,
        cannot={"with": NO_BLOCKS, "async with": NO_BLOCKS},
    )


def _purgatory() -> Peer:
    library: Any = importlib.import_module("purgatory")
    plain_ones = library.SyncCircuitBreakerFactory(default_ttl=DAY)
    async_ones = library.AsyncCircuitBreakerFactory(default_ttl=DAY)
    return Peer(
        name="purgatory",
        rejection=importlib.import_module("purgatory.domain.model").OpenedState,
        guard=lambda threshold: plain_ones(next(_names), threshold),
        async_guard=lambda threshold: async_ones(next(_names), threshold),
        make_block=lambda: plain_ones.get_breaker("block"),
        cannot={"async with": "its context manager is awaited first"},
    )


def _fluxgate() -> Peer:
    library: Any = importlib.import_module("fluxgate")
    trippers: Any = importlib.import_module("fluxgate.trippers")
    retries: Any = importlib.import_module("fluxgate.retries")

    def make(kind: Any) -> MakeDecorator:
        def breaker(threshold: int) -> Decorator:
            made: Decorator = kind(tripper=trippers.FailureStreak(threshold), retry=retries.Cooldown(DAY))
            return made

        return breaker

    return Peer(
        name="fluxgate",
        rejection=library.CallNotPermittedError,
        guard=make(library.CircuitBreaker),
        async_guard=make(library.AsyncCircuitBreaker),
        cannot={"with": NO_BLOCKS, "async with": NO_BLOCKS},
    )


def _interlock() -> Peer:
    library: Any = importlib.import_module("interlock")

    def breaker(threshold: int) -> Any:
        config = library.Config(minimum_number_of_calls=threshold, wait_duration_in_open=DAY)
        return library.CircuitBreaker(name=next(_names), config=config)

    return Peer(
        name="interlock-cb",
        rejection=library.CircuitOpenError,
        guard=breaker,
        async_guard=breaker,
        block=breaker(NEVER),
        async_block=breaker(NEVER),
    )


def _nopanic() -> Peer:
    library: Any = importlib.import_module("nopanic")

    def breaker(threshold: int) -> Any:
        return library.CircuitBreaker(min_calls=threshold, reset_timeout=DAY)

    return Peer(
        name="nopanic",
        rejection=library.CircuitOpen,
        guard=breaker,
        async_guard=breaker,
        make_block=breaker(NEVER).guard,
        make_async_block=breaker(NEVER).guard,
    )


def _hyx() -> Peer:
    library: Any = importlib.import_module("hyx.circuitbreaker")
    exceptions: Any = importlib.import_module("hyx.circuitbreaker.exceptions")

    def breaker(threshold: int) -> Any:
        return library.consecutive_breaker(failure_threshold=threshold, recovery_time_secs=DAY)

    return Peer(
        name="hyx",
        rejection=exceptions.BreakerFailing,
        async_guard=breaker,
        async_block=breaker(NEVER),
        cannot=dict.fromkeys(("sync", "with", "rejected", "failed"), ONLY_ASYNC),
    )


class _Cache(dict[str, int]):
    """The least that lasier takes for its cache: a dict. A real one, such as Redis, costs more."""

    def add(self, key: str, value: int, _timeout: float | None) -> None:
        self.setdefault(key, value)

    def set(self, key: str, value: int, _timeout: float | None) -> None:
        self[key] = value

    def incr(self, key: str) -> int:
        self[key] = self.get(key, 0) + 1
        return self[key]

    def expire(self, _key: str, _timeout: float | None) -> None:
        pass

    def delete(self, key: str) -> None:
        self.pop(key, None)


class _AsyncCache:
    """The same for coroutines."""

    def __init__(self) -> None:
        self._cache = _Cache()

    async def get(self, key: str) -> int | None:
        return self._cache.get(key)

    async def incr(self, key: str) -> int:
        return self._cache.incr(key)


class _LasierError(Exception):
    """What lasier is told to reject calls with."""


def _lasier() -> Peer:
    rules: Any = importlib.import_module("lasier.circuit_breaker.rules")
    plain_ones: Any = importlib.import_module("lasier.circuit_breaker.sync")
    async_ones: Any = importlib.import_module("lasier.circuit_breaker.asyncio")

    def make(module: Any, cache: type) -> MakeDecorator:
        def breaker(threshold: int) -> Any:
            rule = rules.MaxFailuresRule(max_failures=threshold, failure_cache_key=next(_names))
            return module.CircuitBreaker(rule, cache(), _LasierError, circuit_timeout=DAY)

        return breaker

    sync, asynchronous = make(plain_ones, _Cache), make(async_ones, _AsyncCache)
    return Peer(
        name="lasier",
        rejection=_LasierError,
        guard=sync,
        async_guard=asynchronous,
        block=cast("Any", sync(NEVER)),
        async_block=cast("Any", asynchronous(NEVER)),
    )


def _pyresilience() -> Peer:
    library: Any = importlib.import_module("pyresilience")

    def guard(threshold: int) -> Decorator:
        config = library.CircuitBreakerConfig(failure_threshold=threshold, recovery_timeout=DAY)
        made: Decorator = library.resilient(circuit_breaker=config)
        return made

    return Peer(
        name="pyresilience",
        rejection=importlib.import_module("pyresilience._exceptions").CircuitOpenError,
        guard=guard,
        async_guard=guard,
        cannot={"with": NO_BLOCKS, "async with": NO_BLOCKS},
    )


def _grit() -> Peer:
    library: Any = importlib.import_module("grit.breaker")

    def breaker(threshold: int) -> Any:
        return library.breaker(fails=threshold, reset_after=DAY)

    return Peer(
        name="grit-toolkit",
        rejection=importlib.import_module("grit.exceptions").BreakerOpen,
        guard=breaker,
        async_guard=breaker,
        block=breaker(NEVER),
        cannot={"async with": NO_ASYNC_BLOCKS},
    )


ADAPTERS: dict[str, tuple[str, Callable[[], Peer]]] = {
    "pybreaker": ("pybreaker", _pybreaker),
    "pybreaker, Redis": ("pybreaker", _pybreaker_redis),
    "circuitbreaker": ("circuitbreaker", _circuitbreaker),
    "aiobreaker": ("aiobreaker", _aiobreaker),
    "purgatory": ("purgatory", _purgatory),
    "fluxgate": ("fluxgate", _fluxgate),
    "interlock-cb": ("interlock-cb", _interlock),
    "nopanic": ("nopanic", _nopanic),
    "hyx": ("hyx", _hyx),
    "lasier": ("lasier", _lasier),
    "pyresilience": ("pyresilience", _pyresilience),
    "grit-toolkit": ("grit-toolkit", _grit),
}
"""By name: the distribution, and the adapter."""
