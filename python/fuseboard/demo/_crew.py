"""The children of the conductor: started here, heard here, and ended here, each by its own process id."""

import contextlib
import os
import selectors
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from fuseboard.demo._messages import Message, decode

_END_SECONDS = 10.0
_LAST_WORDS = 2000


class DemoError(Exception):
    """The demo cannot go on: nothing was shown, neither that promises hold nor that they do not."""


class Child:
    """A process of ours. ``pid`` is its process id, ``log`` holds what it wrote to standard error."""

    def __init__(self, name: str, log: Path, process: "subprocess.Popen[bytes]") -> None:
        self.name, self.log = name, log
        self.pid = process.pid
        self._process = process

    def order(self, line: bytes) -> None:
        """Writes a line to its standard input."""
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - each child is started with one
        try:
            pipe.write(line + b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise DemoError(f"{self.name} (process {self.pid}) no longer responds. {self._last_words()}") from None

    def kill(self) -> None:
        """Kills it (SIGKILL). Not an error if it has ended."""
        self._process.kill()

    def bury(self) -> None:
        """Waits until it is gone, and closes its standard input."""
        self._process.wait(_END_SECONDS)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def check(self) -> None:
        """Raises DemoError if it has ended, which no child does by itself."""
        code = self._process.poll()
        if code is not None:
            raise DemoError(f"{self.name} (process {self.pid}) ended by itself, code {code}. {self._last_words()}")

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace").strip()[-_LAST_WORDS:]


class Crew:
    """All children of one act, and the pipe they write to. A context manager: leaving it ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._read, selectors.EVENT_READ)
        self._rest = b""

    def start(self, name: str, module: str, *arguments: str) -> Child:
        """Starts a module of this package as a process of its own.

        The user's folder is no place to import from (``-P``), so that no file there is taken for a module. It gets a
        process group of its own, so that a Ctrl-C reaches the conductor alone.
        """
        log = self._folder / f"{name}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, modules of ours
                [sys.executable, "-P", "-m", f"fuseboard.demo.{module}", *arguments],
                stdin=subprocess.PIPE,
                stdout=self._write,
                stderr=errors,
                process_group=0,
            )
        child = Child(name, log, process)
        self._children.append(child)
        return child

    def kill(self, child: Child) -> None:
        """Kills a child and waits until it is gone, which is then no fault."""
        self._children.remove(child)
        child.kill()
        child.bury()

    def check(self) -> None:
        """Raises DemoError if a child has ended by itself."""
        for child in self._children:
            child.check()

    def messages(self, wait_seconds: float) -> list[Message]:
        """What the children have told since last time; waits until there is something."""
        if not self._selector.select(wait_seconds):
            return []
        *lines, self._rest = (self._rest + os.read(self._read, 1 << 16)).split(b"\n")
        return [decode(line) for line in lines]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        for child in self._children:
            child.kill()
        for child in self._children:
            child.bury()
        self._selector.close()
        os.close(self._read)
        os.close(self._write)
