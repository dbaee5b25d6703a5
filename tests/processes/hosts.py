"""Fixtures of several folders: a host of its own for every test, and teams of processes on it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from team import Team

from helpers import stores_let_go

SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of ours is made in it
"""Where tables lie unless the environment says otherwise."""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test's tables lie, for all the processes it starts. Stores in it are let go of afterwards."""
    with tempfile.TemporaryDirectory(prefix="fuseboard-test-", dir=SHARED_MEMORY) as path:
        monkeypatch.setenv("FUSEBOARD_DIR", path)
        with stores_let_go():
            yield Path(path)


@pytest.fixture
def host(folder: Path) -> str:
    """The name of a store that no other test uses."""
    return f"host-{folder.name}"


@pytest.fixture(params=["fork", "spawn"])
def team(request: pytest.FixtureRequest, folder: Path) -> Iterator[Team]:  # noqa: ARG001 - set before they start
    """A team of processes, forked and spawned."""
    with Team(request.param) as team:
        yield team


@pytest.fixture
def forked(folder: Path) -> Iterator[Team]:  # noqa: ARG001 - as above
    """A team of forked processes, which start fastest."""
    with Team("fork") as team:
        yield team


@pytest.fixture
def spawned(folder: Path) -> Iterator[Team]:  # noqa: ARG001 - as above
    """A team of spawned processes, which have inherited nothing."""
    with Team("spawn") as team:
        yield team
