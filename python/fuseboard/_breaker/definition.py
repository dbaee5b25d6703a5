"""What a breaker was made with. The breakers of its keys share it: only their fuses differ, so a key is small."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fuseboard._breaker.classify import Lists, OpenFor, Verdict
from fuseboard._breaker.rejection_classes import Rejections
from fuseboard._events.transition import Transition
from fuseboard._policy.settings import Numbers, Settings
from fuseboard._store.store import Store


class Definition(NamedTuple):
    """What a breaker and those of its keys have in common. Immutable."""

    name: str
    """The name of the breaker that has the keys."""
    settings: Settings
    numbers: Numbers
    settings_hash: int
    store: Store | None
    """The store that was given; None for those that follow the default one."""
    listener: Callable[[Transition], object] | None
    lists: Lists
    failure_if: Callable[[Any], object] | None
    open_for: OpenFor | None
    fallback: Callable[..., Any] | None
    judge: Callable[[str, BaseException], Verdict]
    """Says, for a fuse's name, what an exception means."""
    judge_result: Callable[[Any], Verdict] | None
    """Says what a result means; None where nobody asks."""
    errors: Rejections | None
    """The classes of their rejections, where they are not ours."""
    is_shadow_by_code: bool
    is_shadow_by_environment: bool
    module: str | None
    """The module that made the breaker."""

    @property
    def is_shadow(self) -> bool:
        """Whether none of them rejects anything."""
        return self.is_shadow_by_code or self.is_shadow_by_environment
