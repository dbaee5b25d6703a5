"""Fuses by key: many alike, such as one for each tenant, host or shard, under one breaker's policy."""

import itertools
from typing import TypeVar

from fuseboard._validation import exact, shown

T = TypeVar("T")

NAME_MAX = 200
"""Bytes of UTF-8 in a fuse's name."""
_FEW_OF = 1024
"""Of so many breakers that are kept one more is dropped than must be."""
_DIGEST_BYTES = 8
MOST = NAME_MAX - len("[~]") - 2 * _DIGEST_BYTES
"""Bytes in a breaker's name that leave room for any key."""


def checked(key: object) -> str | int:
    """A key as a plain ``str`` or ``int``: of a subclass, such as a member of an enum, what it is equal to.

    A subclass may print itself otherwise. Then the fuse's name would depend on which of two equal keys came first.

    Raises:
        TypeError: it is neither a str nor an int. A dictionary would take True and 1.0 for 1.
    """
    if isinstance(key, str):
        return exact(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return int.__int__(key)
    raise TypeError(f"key must be a str or an int, got {type(key).__name__}: {shown(key)}")


def name_of(name: str, key: str | int) -> str:
    """The fuse of a key: ``name[key]``. What a fuse's name has no room for is cut off and told apart by a hash.

    Raises:
        ValueError: the name leaves no room for a hash.
    """
    written = str(key).encode(errors="backslashreplace")
    room = NAME_MAX - len(name.encode()) - len("[]")
    if len(written) > room:
        import hashlib  # noqa: PLC0415 - it brings OpenSSL, which would take a tenth of the package's import

        digest = hashlib.blake2b(written, digest_size=_DIGEST_BYTES).hexdigest()
        begins = room - len(digest) - len("~")
        if begins < 0:
            raise ValueError(
                f"a breaker whose keys are as long as {shown(key)} needs a name of at most {MOST} bytes, got "
                f"{len(name.encode())}: {shown(name)}"
            )
        # Perhaps in the middle of a character, of which nothing is left then.
        begin = written[:begins].decode(errors="ignore")
        return f"{name}[{begin}~{digest}]"
    return f"{name}[{written.decode()}]"


def drop_oldest(kept: dict[str | int, T], most: int) -> None:
    """Drops those that were made first, until no more than ``most`` are left.

    So keys without end need no memory without end. Where there are many a few go at once: a dict that has lost its
    first entries passes over all of them to find the one that is the first now.
    """
    for key in list(itertools.islice(kept, len(kept) - most + most // _FEW_OF)):
        kept.pop(key, None)
