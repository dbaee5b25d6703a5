"""A service that hangs behind gunicorn's own time limit: the worker is aborted in the middle of the call (R10)."""

import concurrent.futures
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from gunicorns import PATIENCE, Gunicorn

from fuseboard import FuseSnapshot, State, Store
from helpers import wait_until

STORE = "waiting"


class Scene(NamedTuple):
    """A service that answers when it is told to, and where servers of :mod:`waiting` have what is theirs."""

    service: socket.socket
    folder: Path

    def server(self, timeout: int) -> Gunicorn:
        """A server with one worker, which may take so many seconds for a request."""
        options = ["--workers", "1", "--timeout", str(timeout)]
        address = self.service.getsockname()
        return Gunicorn(self.folder, "waiting:app", options, SERVICE=address, FUSEBOARD_STORE=STORE)

    def called(self) -> socket.socket:
        """The connection of the next call that comes."""
        connection, _ = self.service.accept()
        return connection

    @staticmethod
    def seen() -> FuseSnapshot:
        """What the host's table says of the fuse."""
        return Store.shared(STORE).snapshot()["api"]


def visit(server: Gunicorn) -> str:
    """What a visitor gets. Where a worker ends in the middle of a request, that is gunicorn's to choose."""
    try:
        return server.get("page").text
    except httpx.RemoteProtocolError:
        return "cut off"


@pytest.fixture
def scene(tmp_path: Path, folder: Path) -> Iterator[Scene]:
    """A service on a socket of its own, whose tables are in a folder of their own."""
    assert folder.exists()
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(tmp_path / "service"))
        service.listen()
        service.settimeout(PATIENCE)
        yield Scene(service, tmp_path)


def test_a_service_that_hangs_opens_the_fuse_though_only_the_server_has_a_time_limit(scene: Scene) -> None:
    """R03, R10: each worker that is aborted in a guarded call is a failure; the next worker finds the fuse open."""
    with scene.server(timeout=1) as server:
        for _ in range(2):
            visit(server)
        assert "open" == visit(server)
    seen = scene.seen()
    assert (2, 0, 0, State.OPEN) == (seen.failures, seen.successes, seen.ignored, seen.state)
    assert "SystemExit" == Store.shared(STORE).journal()[-1].error


def test_a_worker_that_is_told_to_end_at_once_counts_nothing(scene: Scene) -> None:
    """R10: gunicorn's quick end exits in the middle of the call too, and it says nothing about the service."""
    with scene.server(timeout=PATIENCE) as server, concurrent.futures.ThreadPoolExecutor(1) as pool:
        page = pool.submit(visit, server)
        with scene.called():
            server.process.send_signal(signal.SIGQUIT)
            page.result()
        server.process.wait(PATIENCE)
    seen = scene.seen()
    assert (0, 0, 1) == (seen.failures, seen.successes, seen.ignored)


def test_a_graceful_restart_counts_nothing_but_what_the_service_says(scene: Scene) -> None:
    """R10: the worker ends its request first."""
    with scene.server(timeout=PATIENCE) as server, concurrent.futures.ThreadPoolExecutor(1) as pool:
        page = pool.submit(visit, server)
        with scene.called() as connection:
            os.kill(server.process.pid, signal.SIGHUP)
            wait_until(lambda: "Handling signal: hup" in server.said())
            connection.sendall(b"answer")
        assert "answer" == page.result()
    seen = scene.seen()
    assert (0, 1, 0) == (seen.failures, seen.successes, seen.ignored)
