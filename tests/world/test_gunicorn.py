"""Workers of gunicorn, with and without --preload: one fuse for all of them, which outlives each (R03)."""

import concurrent.futures
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

WORKERS = 4
PATIENCE = 30
WAYS = {
    "preloaded, its table open": ("--preload", "before the fork"),
    "preloaded": ("--preload", "in the workers"),
    "loaded by each worker": (None, "in the workers"),
}


class Answer(NamedTuple):
    """What a worker says of its call."""

    word: str
    pid: int
    loaded_by: int


class Gunicorn:
    """A server with four workers, each of which has one request at a time."""

    def __init__(self, folder: Path, preload: str | None, opens: str, table: str) -> None:
        self.folder, self.socket, self.preload = folder, folder / "socket", preload
        options = ["--workers", str(WORKERS), "--bind", f"unix:{self.socket}", "--chdir", str(Path(__file__).parent)]
        options += ["--worker-tmp-dir", str(folder), "--no-control-socket"]
        options += [preload] if preload else []
        environment = os.environ | {"SHOP_NOTES": str(folder), "SHOP_OPENS": opens, "FUSEBOARD_STORE": table}
        self.log = (folder / "log").open("wb")
        command = [sys.executable, "-m", "gunicorn", *options, "shop:app"]
        self.process = subprocess.Popen(command, env=environment, stderr=self.log)  # noqa: S603 - ours

    def wait_until_it_listens(self) -> None:
        """Waits until somebody may connect; who comes later waits for a worker."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as visitor, contextlib.suppress(OSError):
                visitor.connect(str(self.socket))
                return
            time.sleep(0.02)
        raise TimeoutError((self.folder / "log").read_text())

    def meeting(self, name: str) -> list[Answer]:
        """Has each worker make a call, all at once; what they say."""
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._ask, [name] * WORKERS))

    def _ask(self, meeting: str) -> Answer:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), timeout=PATIENCE) as client:
            response = client.get(f"http://shop/{meeting}")
        assert 200 == response.status_code, (self.folder / "log").read_text()
        word, pid, loaded_by = response.text.split()
        return Answer(word, int(pid), int(loaded_by))

    def events(self) -> list[str]:
        """The events of all workers."""
        return (self.folder / "events").read_text().split()

    def end(self) -> None:
        """Ends server and workers."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.log.close()


def buried(pid: int) -> bool:
    """Whether a process has ended and its parent has waited for it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def gunicorn(request: pytest.FixtureRequest, tmp_path: Path, folder: Path) -> Iterator[Gunicorn]:
    """A server, started in one of the ways, whose workers find the table by the environment."""
    assert folder.exists()
    server = Gunicorn(tmp_path, *request.param, "shop")
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        server.end()


def test_workers_of_gunicorn_share_one_fuse_that_outlives_them(gunicorn: Gunicorn) -> None:
    """R03: one failure in each worker opens the fuse, once, for all; killed workers' successors find it open."""
    first = gunicorn.meeting("first")
    assert WORKERS == len({answer.pid for answer in first})
    assert ["failed"] * WORKERS == [answer.word for answer in first]
    assert ["open"] * WORKERS == [answer.word for answer in gunicorn.meeting("second")]
    for answer in first:
        os.kill(answer.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while not all(buried(answer.pid) for answer in first) and time.monotonic() < deadline:
        time.sleep(0.01)
    third = gunicorn.meeting("third")
    assert not {answer.pid for answer in third} & {answer.pid for answer in first}
    assert ["open"] * WORKERS == [answer.word for answer in third]
    assert ["open"] == gunicorn.events()


def test_the_application_was_loaded_as_the_way_says(gunicorn: Gunicorn) -> None:
    """Control: with --preload the breaker was inherited from the server's process; else each worker made its own."""
    answers = gunicorn.meeting("first")
    loaders = {answer.loaded_by for answer in answers}
    assert loaders == ({gunicorn.process.pid} if gunicorn.preload else {answer.pid for answer in answers})
