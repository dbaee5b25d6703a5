"""gunicorn as tests run it: a server of its own on a socket of its own, which ends with the test."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx

PATIENCE = 30
"""Seconds after which a server that says nothing is given up."""


class Gunicorn:
    """A server of an application of this folder, with a socket and a log in ``folder``."""

    def __init__(self, folder: Path, application: str, options: Sequence[str], **environment: str) -> None:
        self.folder, self.socket = folder, folder / "socket"
        command = [sys.executable, "-m", "gunicorn", "--bind", f"unix:{self.socket}", *options]
        command += ["--chdir", str(Path(__file__).parent), "--worker-tmp-dir", str(folder), "--no-control-socket"]
        self.log = (folder / "log").open("wb")
        changed = os.environ | environment
        self.process = subprocess.Popen([*command, application], env=changed, stderr=self.log)  # noqa: S603 - ours

    def __enter__(self) -> Self:
        """Waits until somebody may connect; who comes later waits for a worker."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as visitor, contextlib.suppress(OSError):
                visitor.connect(str(self.socket))
                return self
            time.sleep(0.02)
        self.__exit__()
        raise TimeoutError(self.said())

    def __exit__(self, *_error: object) -> None:
        """Ends server and workers."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.log.close()

    def get(self, path: str) -> httpx.Response:
        """What a worker answers."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), timeout=PATIENCE) as client:
            return client.get(f"http://shop/{path}")

    def said(self) -> str:
        """What stands in its log."""
        return (self.folder / "log").read_text()
