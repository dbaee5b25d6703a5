"""A host of its own for every test, and processes on it that do not outlive it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from team import Team

SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of ours is made in it


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test's tables lie, for all the processes it starts."""
    with tempfile.TemporaryDirectory(prefix="fuseboard-test-", dir=SHARED_MEMORY) as path:
        monkeypatch.setenv("FUSEBOARD_DIR", path)
        yield Path(path)


@pytest.fixture
def forked(folder: Path) -> Iterator[Team]:  # noqa: ARG001 - set before they start
    """A team of forked processes, which start fastest."""
    with Team("fork") as team:
        yield team
