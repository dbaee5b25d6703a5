"""What is logged where several come to one fuse and are not alike: once for each two of them, in a process."""

from collections.abc import Iterator

from fuseboard import _core
from fuseboard._breaker.definition import Family
from fuseboard._events.log import logger
from fuseboard._policy.settings import NAMES, Settings
from fuseboard._store import registry
from fuseboard._store.store import Store
from fuseboard._validation import in_seconds, shown

_KEPT = 1024
"""Settings of this process that are known by their fingerprints."""
_COUNTS = ("threshold", "window")
_known: dict[int, Settings] = {}


def come(store: Store, family: Family, fuse: _core.Fuse) -> None:
    """A breaker is about to make its first call on a fuse.

    Of a family that has dropped breakers it may have come before. Then it counts as a change of settings no more.
    """
    if len(_known) < _KEPT:
        _known.setdefault(family.fingerprint, family.settings)
    before = fuse.note_settings(family.fingerprint, "dropped" in family.told)
    if before and store._told_pairs.is_first((family.name, frozenset((before, family.fingerprint)))):
        _tell_settings(family.name, _known.get(before), family.settings)
    if family.module is not None:
        _come_from(store, family, fuse, family.module)


def _come_from(store: Store, family: Family, fuse: _core.Fuse, module: str) -> None:
    """Who shares the table of those who name none has not chosen to; who names one has."""
    maker = fuse.note_maker(module)
    if maker is None or family.store is not None or not store.is_shared or registry.is_named():
        return
    if store._told_pairs.is_first((family.name, maker, module)):
        logger.warning(
            "circuit %r: module %r made this fuse in the store 'default', which all programs of this user share, and "
            "module %r makes calls on it too. If these are two services, set FUSEBOARD_STORE to the name of each, or "
            "give the fuse another name. If they are one, set it to its name, and this is not said again",
            family.name, maker, module,
        )  # fmt: skip


def _tell_settings(family: str, before: Settings | None, settings: Settings) -> None:
    if before is not None:
        differ = ", ".join(f"{name} {old} -> {new}" for name, old, new in differences(before, settings))
        logger.warning(
            "circuit %r: breakers with other settings come to this fuse: %s; each decides by its own. "
            "Said once for these two; snapshots count settings_changes",
            family, differ,
        )  # fmt: skip
        return
    ours = ", ".join(f"{name}={new}" for name, _, new in differences(Settings(), settings))
    logger.warning(
        "circuit %r: a breaker of another process came to this fuse with other settings than this one's, which are %s; "
        "each decides by its own. The other process can show its own: log breaker.settings there; `fuseboard journal` "
        "has the processes of a fuse. Said once for these two; snapshots count settings_changes",
        family, f"{ours}, else the defaults" if ours else "the defaults",
    )  # fmt: skip


def differences(before: Settings, after: Settings) -> Iterator[tuple[str, str, str]]:
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
