"""What a breaker logs once, so that neither a fault nor a misunderstanding fills the log."""

from collections.abc import Iterator

from fuseboard import _core
from fuseboard._breaker.definition import Definition
from fuseboard._events.log import logger
from fuseboard._once import Once
from fuseboard._policy.settings import NAMES, Settings
from fuseboard._store import registry
from fuseboard._store.store import Store
from fuseboard._validation import in_seconds, shown

_KEPT = 1024
"""How many settings of this process are kept by their hashes, for messages about differences."""
_COUNTS = ("threshold", "window")
_known: dict[int, Settings] = {}


class Notices:
    """What is logged once for a breaker and the breakers of its keys together.

    A message names the fuse that came first. A message about two breakers of one fuse is logged once for each pair, in
    each store and process.
    """

    __slots__ = ("_once",)

    def __init__(self) -> None:
        self._once = Once()

    def fault(self, fuse: str, fault: BaseException) -> None:
        """An error that reached no call: ours, or of code that is called on the breaker's account."""
        if self._once.is_first("fault"):
            logger.error(
                "breaker %r: internal error, the call was not affected: %s: %s. Further errors are only counted, in "
                "breaker.faults.",
                fuse, type(fault).__qualname__, fault, exc_info=fault,
            )  # fmt: skip

    def lost_block(self, fuse: str) -> None:
        """``__exit__`` was called by hand where no block had begun."""
        if self._once.is_first("lost block"):
            logger.warning(
                "breaker %r: __exit__ was called where no block had begun, so its outcome was not counted. If you call "
                "__enter__ and __exit__ yourself, call both in one thread or task. Elsewhere use "
                "stack.enter_context(breaker.permit()).",
                fuse,
            )

    def unfollowed(self, fuse: str, begun: object) -> None:
        """A guarded function returned an awaitable whose end cannot be seen."""
        if self._once.is_first("unfollowed"):
            logger.warning(
                "breaker %r: a guarded function returned an awaitable of type %s. The breaker cannot see how it ends, "
                "so such calls are ignored. Guard a coroutine function that awaits it, or use acall().",
                fuse, type(begun).__qualname__,
            )  # fmt: skip

    def capacity(self, fuse: str, threshold: int, store: Store) -> None:
        """The store may count fewer failures than the threshold asks for."""
        if threshold > store.failure_capacity and self._once.is_first("capacity"):
            logger.warning(
                "breaker %r: its threshold is %d, not %d, because %s counts at most %d failures per fuse. "
                "Use a store with another name, made with failures=%d.",
                fuse, store.failure_capacity, threshold, store._called, store.failure_capacity, threshold,
            )  # fmt: skip

    def keys_dropped(self) -> None:
        """Breakers of keys were dropped. A breaker of a key may have come before from now on; it logs nothing again."""
        self._once.is_first("keys dropped")

    def come(self, store: Store, definition: Definition, fuse: _core.Fuse) -> None:
        """A breaker is about to make its first call on a fuse. Other breakers of the fuse may have other settings."""
        ours = definition.settings_hash
        if len(_known) < _KEPT:
            _known.setdefault(ours, definition.settings)
        before = fuse.note_settings(ours, "keys dropped" in self._once)
        if before and store._notices.pairs.is_first((definition.name, frozenset((before, ours)))):
            _log_other_settings(definition.name, _known.get(before), definition.settings)
        if definition.module is not None:
            _log_other_module(store, definition, fuse, definition.module)


def _log_other_module(store: Store, definition: Definition, fuse: _core.Fuse, module: str) -> None:
    """Two programs may share the default store by mistake. If the store was named or given, they share it by choice."""
    maker = fuse.note_maker(module)
    if maker is None or definition.store is not None or not store.is_shared or registry.is_named():
        return
    if store._notices.pairs.is_first((definition.name, maker, module)):
        logger.warning(
            "fuse %r: module %r created this fuse in the store 'default', which all programs of this user share, and "
            "module %r uses it too. If these are two services, set FUSEBOARD_STORE to a name of its own for each, or "
            "rename one of the fuses. If they are one service, set FUSEBOARD_STORE to its name to stop this warning.",
            definition.name, maker, module,
        )  # fmt: skip


def _log_other_settings(fuse: str, before: Settings | None, settings: Settings) -> None:
    if before is not None:
        differ = ", ".join(f"{name} {old} -> {new}" for name, old, new in _differences(before, settings))
        logger.warning(
            "fuse %r: two breakers use it with different settings: %s. Each breaker follows its own settings. "
            "Logged once per pair of settings; settings_changes in the snapshot counts all changes.",
            fuse, differ,
        )  # fmt: skip
        return
    ours = ", ".join(f"{name}={new}" for name, _, new in _differences(Settings(), settings))
    logger.warning(
        "fuse %r: another process uses it with different settings. This process has %s. Each process follows its own "
        "settings. To see the others, log breaker.settings there; `fuseboard journal` shows which processes use the "
        "fuse. Logged once per pair of settings; settings_changes in the snapshot counts all changes.",
        fuse, f"{ours}, and otherwise the defaults" if ours else "the defaults",
    )  # fmt: skip


def _differences(before: Settings, after: Settings) -> Iterator[tuple[str, str, str]]:
    """The settings that differ, with both values in words."""
    is_count = before.policy is None and after.policy is None
    if not is_count and before.policies != after.policies:
        yield "policy", _policy(before), _policy(after)
    for name in NAMES:
        old, new = in_seconds(getattr(before, name)), in_seconds(getattr(after, name))
        if name != "policy" and (is_count or name not in _COUNTS) and old != new:
            yield name, _text(old), _text(new)


def _policy(settings: Settings) -> str:
    return repr(" | ".join(map(str, settings.policies)))


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)
