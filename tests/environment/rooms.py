"""Rooms: programs run with mounts and namespaces of their own, which end with them. Nothing outside is changed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60
"""Seconds after which a program that says nothing is given up."""
RESIDENTS = Path(__file__).with_name("residents.py")


def cannot(reason: str) -> None:
    """Skips, and says why; in CI, where the proof must be made, fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def apart(*namespaces: str) -> list[str]:
    """The command that runs another in namespaces of its own; who is not root is root in one of users as well."""
    options = namespaces if os.geteuid() == 0 else ("--user", "--map-root-user", *namespaces)
    unshare = shutil.which("unshare")
    tried = unshare and subprocess.run([unshare, *options, "true"], check=False, capture_output=True)  # noqa: S603
    if not tried or tried.returncode:
        cannot(f"unshare {' '.join(options)} is not to be had: what happens there is not shown")
    return [str(unshare), *options]


def room(mounts: str, *paths: object) -> list[str]:
    """The command that runs another where ``mounts``, lines of shell, were done first; ``paths`` are $1, $2 ..."""
    script = f'{mounts}\nshift {len(paths)}\nexec "$@"'
    return [*apart("--mount"), "sh", "-ec", script, "room", *map(str, paths)]


def run(
    command: list[str], scene: str, *arguments: object, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Runs a scene of :mod:`residents`. An environment variable that is None is taken away."""
    changed = {name: value for name, value in (os.environ | environment).items() if value is not None}
    program = [*command, sys.executable, str(RESIDENTS), scene, *map(str, arguments)]
    return subprocess.run(program, env=changed, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - ours


def ask(command: list[str], scene: str, *arguments: object, **environment: str | None) -> Any:
    """Runs a scene, which ends well, and returns what it saw."""
    done = run(command, scene, *arguments, **environment)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
