"""Workers of gunicorn, with and without --preload: one fuse for all of them, which outlives each (R03)."""

import concurrent.futures
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from gunicorns import PATIENCE, Gunicorn

WORKERS = 4
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


class Shop(Gunicorn):
    """A server with four workers, each of which has one request at a time."""

    def __init__(self, folder: Path, preload: str | None, opens: str, table: str) -> None:
        self.preload = preload
        options = ["--workers", str(WORKERS), *([preload] if preload else [])]
        super().__init__(folder, "shop:app", options, SHOP_NOTES=str(folder), SHOP_OPENS=opens, FUSEBOARD_STORE=table)

    def meeting(self, name: str) -> list[Answer]:
        """Has each worker make a call, all at once; what they say."""
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._ask, [name] * WORKERS))

    def _ask(self, meeting: str) -> Answer:
        response = self.get(meeting)
        assert 200 == response.status_code, self.said()
        word, pid, loaded_by = response.text.split()
        return Answer(word, int(pid), int(loaded_by))

    def events(self) -> list[str]:
        """The events of all workers."""
        return (self.folder / "events").read_text().split()


def buried(pid: int) -> bool:
    """Whether a process has ended and its parent has waited for it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def gunicorn(request: pytest.FixtureRequest, tmp_path: Path, folder: Path) -> Iterator[Shop]:
    """A server, started in one of the ways, whose workers find the table by the environment."""
    assert folder.exists()
    with Shop(tmp_path, *request.param, "shop") as server:
        yield server


def test_workers_of_gunicorn_share_one_fuse_that_outlives_them(gunicorn: Shop) -> None:
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


def test_the_application_was_loaded_as_the_way_says(gunicorn: Shop) -> None:
    """Control: with --preload the breaker was inherited from the server's process; else each worker made its own."""
    answers = gunicorn.meeting("first")
    loaders = {answer.loaded_by for answer in answers}
    assert loaders == ({gunicorn.process.pid} if gunicorn.preload else {answer.pid for answer in answers})
