"""The calls that are timed side by side: the yardsticks', ours, every peer's."""

import contextlib
import functools
from collections.abc import Callable, Iterator

from bench import by_hand, ours, timers
from bench.adapters import ADAPTERS, NEVER
from bench.measure import Effort, Row, Subject, measure
from bench.peer import Peer
from bench.yardsticks import (
    EmptyAsyncBlock,
    EmptyBlock,
    ServiceError,
    coroutine,
    empty_async_decorator,
    empty_decorator,
    failing,
    plain,
    raise_fresh,
)
from fuseboard import CircuitOpenError, Store

MEASURES = ("sync", "async", "with", "async with", "rejected", "failed")
"""What every peer is asked for."""
FEW = 5
"""Failures that open a peer's breaker."""
PATIENCE = 100
"""Failing calls after which a breaker that has not opened is one that does not."""


def yardsticks() -> Iterator[Subject]:
    """What Python itself takes."""
    bare, partial = timers.of_call(plain), functools.partial(plain)
    found = [
        ("sync", "bare call", bare),
        ("sync", "functools.partial", timers.of_call(partial)),
        ("sync", "empty decorator", timers.of_call(empty_decorator(plain))),
        ("async", "bare await", timers.of_await(coroutine)),
        ("async", "empty async decorator", timers.of_await(empty_async_decorator(coroutine))),
        ("with", "bare call", timers.of_call(plain)),
        ("with", "functools.partial", timers.of_call(partial)),
        ("with", "empty context manager class", timers.of_with(EmptyBlock())),
        ("with", "empty context manager class, by an ExitStack", timers.of_exit_stack(EmptyBlock())),
        ("async with", "bare call", timers.of_call(plain)),
        ("async with", "empty async context manager class", timers.of_async_with(EmptyAsyncBlock())),
        ("rejected", "fresh exception of our shape", timers.of_raise(raise_fresh, CircuitOpenError)),
        ("rejected", "fresh plain exception", timers.of_raise(failing, ServiceError)),
        ("failed", "bare failure", timers.of_raise(failing, ServiceError)),
        ("live", "bare failure", timers.of_raise(failing, ServiceError)),
        ("store", "empty loop", timers.of_loop()),
        ("store", "bare call", timers.of_call(plain)),
    ]
    for group, name, timer in found:
        yield Subject(group, name, "yardstick", timer)
    if by_hand.can_be_built():
        yield Subject("sync", by_hand.NAME, "yardstick", timers.of_call(by_hand.guard(plain)))


def peer_timers(peer: Peer) -> dict[str, timers.Timer]:
    """What can be timed of a peer, by measure."""
    found: dict[str, timers.Timer] = {}
    if peer.guard is not None:
        found["sync"] = timers.of_call(peer.guard(NEVER)(plain))
        found["rejected"] = timers.of_raise(_opened(peer), peer.rejection)
        found["failed"] = timers.of_raise(peer.guard(NEVER)(failing), ServiceError)
    if peer.async_guard is not None:
        found["async"] = timers.of_await(peer.async_guard(NEVER)(coroutine))
    if peer.block is not None:
        found["with"] = timers.of_with(peer.block)
    if peer.make_block is not None:
        found["with"] = timers.of_with_made(peer.make_block)
    if peer.async_block is not None:
        found["async with"] = timers.of_async_with(peer.async_block)
    if peer.make_async_block is not None:
        found["async with"] = timers.of_async_with_made(peer.make_async_block)
    return {measure: found[measure] for measure in MEASURES if measure in found and measure not in peer.cannot}


def _opened(peer: Peer) -> Callable[[int], object]:
    """A guarded function of a breaker that was opened by failures."""
    assert peer.guard is not None  # noqa: S101 - for the type checker
    guarded = peer.guard(FEW)(failing)
    for _ in range(PATIENCE):
        with contextlib.suppress(ServiceError, peer.rejection):
            guarded(1)
    return guarded


def peers() -> Iterator[Subject | Row]:
    """Every peer's measures: a subject for what can be timed, a row with its fault for what cannot."""
    for name, (_, adapter) in ADAPTERS.items():
        try:
            peer = adapter()
            found = peer_timers(peer)
        except Exception as fault:  # noqa: BLE001 - a peer's, and reported
            yield from (Row(group, name, "peer", fault=f"{type(fault).__name__}: {fault}") for group in MEASURES)
            continue
        for group in MEASURES:
            if group in found:
                yield Subject(group, name, "peer", found[group])
            else:
                yield Row(group, name, "peer", fault=peer.cannot.get(group, "not asked"))


def run(shared: Store, private: Store, effort: Effort, wanted: Callable[[str, str], bool]) -> list[Row]:
    """Times all that is wanted, given group and name."""
    found = [*yardsticks(), *ours.subjects(shared, private), *peers()]
    kept = [one for one in found if wanted(one.group, one.name) or one.kind == "yardstick"]
    faults = [one for one in kept if isinstance(one, Row)]
    return measure([one for one in kept if isinstance(one, Subject)], effort) + faults
