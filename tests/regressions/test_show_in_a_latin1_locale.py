"""``fuseboard show`` and ``journal`` ended in a traceback where the output's encoding lacked a character of a name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = r"from fuseboard import *; CircuitBreaker('zahlungen-\u0444').isolate()"


@pytest.mark.parametrize("command", ["show", "journal"])
@pytest.mark.parametrize("module", ["fuseboard", "fuseboard.cli"])
def test_a_name_that_the_locale_lacks_is_shown_escaped(folder: Path, command: str, module: str) -> None:
    """The exit code is 0, and what cannot be shown is escaped."""
    assert folder.is_dir()
    env = {**os.environ, "PYTHONIOENCODING": "latin-1", "FUSEBOARD_STORE": "default"}
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=subprocess.DEVNULL, check=True, timeout=60, env=env)  # noqa: S603
    shown = [sys.executable, "-m", module, command]
    done = subprocess.run(shown, capture_output=True, check=False, timeout=60, env=env)  # noqa: S603
    assert (0, b"") == (done.returncode, done.stderr)
    assert rb"zahlungen-\u0444" in done.stdout
