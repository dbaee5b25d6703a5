"""Standard output and standard error: any text can be written, and a reader who has left causes no traceback."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def escaping() -> Iterator[None]:
    r"""While the block runs, both streams write what their encoding lacks as an escape (``\u0444``).

    A fuse's name, an exception's and a path may be any text, and no text is a reason for a command to fail. A stream
    that was closed before the start (``>&-``) swallows all.
    """
    with contextlib.ExitStack() as stack:
        for stream, replace in ((sys.stdout, contextlib.redirect_stdout), (sys.stderr, contextlib.redirect_stderr)):
            if stream is None:
                stack.enter_context(replace(stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))))
            elif isinstance(stream, io.TextIOWrapper):
                stack.callback(_set_errors, stream, stream.errors)
                _set_errors(stream, "backslashreplace")
        yield


def encoding() -> str:
    """The encoding of standard output; UTF-8 where it is no stream of bytes."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def give_up(fault: OSError) -> int:
    """Ends a command that could not write or read: one line, or none where the reader has left. Its exit code."""
    if not isinstance(fault, BrokenPipeError):
        with contextlib.suppress(OSError):
            print(f"fuseboard: {fault}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _swallow(stream)
    return 1


def _swallow(stream: TextIO) -> None:
    """Sends the rest of a stream nowhere: the interpreter would complain once more when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)


def _set_errors(stream: io.TextIOWrapper, errors: str | None) -> None:
    with contextlib.suppress(OSError):  # it flushes first, which may find that nobody reads
        stream.reconfigure(errors=errors)
