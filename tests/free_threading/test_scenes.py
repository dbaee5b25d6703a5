"""Eight threads at once, each scene in a process of its own. Without the interpreter lock they really meet."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from scenes import SCENES

IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
SECONDS = float(os.environ.get("FUSEBOARD_STRESS_SECONDS", "4" if IS_FREE_THREADED else "1"))
HERE = Path(__file__).parent


FORKS_HANG = pytest.mark.skipif(
    IS_FREE_THREADED and sys.version_info < (3, 14),
    reason="CPython 3.13 without the lock may fork while a stopped thread holds a dict's mutex; then the child hangs",
)


@pytest.mark.timeout(150 + 4 * SECONDS)
@pytest.mark.parametrize(
    "scene", [pytest.param(scene, marks=FORKS_HANG) if scene == "forks" else scene for scene in SCENES]
)
def test_threads_at_once(scene: str, tmp_path: Path) -> None:
    """What must be true whatever meets: the scenes say it."""
    output = tmp_path / "output"
    with output.open("w") as file:
        # A file, not a pipe: a child that a scene has forked and that hangs would keep a pipe open.
        done = subprocess.run(  # noqa: S603 - this Python
            [sys.executable, "-W", "error", HERE / "scenes.py", scene, str(SECONDS)],
            stdout=file,
            stderr=file,
            check=False,
        )
    assert 0 == done.returncode, output.read_text()


@pytest.mark.skipif(not IS_FREE_THREADED, reason="this Python has the interpreter lock")
def test_the_import_does_not_bring_the_interpreter_lock_back() -> None:
    """Of all that the package imports, the compiled part too says that it does without."""
    code = "import sys, fuseboard, fuseboard.testing, fuseboard.cli; sys.exit(sys._is_gil_enabled())"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    assert 0 == subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode  # noqa: S603
