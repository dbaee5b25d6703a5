"""A Redis server for the peer that needs one: on loopback, on a free port, with nothing on disk, ended by its id."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

from bench.adapters import REDIS_PORT

PROGRAMS = ("redis-server", "valkey-server")
PATIENCE = 10
"""Seconds within which it must listen."""


@contextlib.contextmanager
def redis_server() -> Iterator[str | None]:
    """Runs a server, if one is installed, and says in the environment where; gives its version, or None."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603 - found on PATH
        try:
            _wait_for(port, server)
            os.environ[REDIS_PORT] = str(port)
            yield _version(program)
        finally:
            os.environ.pop(REDIS_PORT, None)
            server.terminate()
            server.wait(PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("the Redis server does not answer")


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - ditto
    return done.stdout.strip().partition(" sha=")[0]
