"""Fuses by key: one for each tenant, host or shard, all under one breaker's policy."""

import itertools
from typing import TypeVar

from fuseboard._validation import exact, shown

T = TypeVar("T")

NAME_MAX = 200
"""Bytes of UTF-8 in a fuse's name."""
_FEW_OF = 1024
"""For each so many breakers that are kept, one more is dropped than must be."""
_DIGEST_BYTES = 8
MOST = NAME_MAX - len("[~]") - 2 * _DIGEST_BYTES
"""Bytes in a breaker's name that leave room for any key."""


def checked(key: object) -> str | int:
    """A key as a plain ``str`` or ``int``. Keys of a subclass, such as members of an enum, become what they equal.

    A subclass may print itself in another way. Then the fuse's name would depend on which of two equal keys came first.

    Raises:
        TypeError: it is neither a str nor an int. A dictionary would take True and 1.0 for 1.
    """
    if isinstance(key, str):
        return exact(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return int.__int__(key)
    raise TypeError(f"key must be a str or an int, got {type(key).__name__}: {shown(key)}")


def name_of(name: str, key: str | int) -> str:
    """The fuse of a key: ``name[key]``. A key that is too long is cut, and a hash tells it apart from others.

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
                f"name must have at most {MOST} bytes where keys are as long as {shown(key)}, got "
                f"{len(name.encode())}: {shown(name)}; use a shorter name"
            )
        # The cut may be in the middle of a character; then nothing of that character stays.
        begin = written[:begins].decode(errors="ignore")
        return f"{name}[{begin}~{digest}]"
    return f"{name}[{written.decode()}]"


def drop_oldest(kept: dict[str | int, T], most: int) -> None:
    """Drops those that were made first, until no more than ``most`` are left.

    So a program with ever new keys does not grow. Where many are kept, a few are dropped at a time: to find its first
    entry, a dict passes over all entries that it has lost at its beginning.
    """
    for key in list(itertools.islice(kept, len(kept) - most + most // _FEW_OF)):
        kept.pop(key, None)
