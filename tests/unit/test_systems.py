"""What the package needs of the operating system: nothing that Windows lacks."""

import subprocess
import sys

PROGRAM = """
import asyncio, multiprocessing, os, pkgutil, signal, sys
import httpx, pytest, rich.console  # others may use what a system has

for name in ("fork", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "uname"):
    delattr(os, name)
for name in ("SIGHUP", "SIGALRM", "SIGKILL", "alarm"):
    delattr(signal, name)
for name in ("fcntl", "grp", "pwd", "resource", "termios", "posix"):
    sys.modules[name] = None  # an import of it fails

import fuseboard

for module in pkgutil.walk_packages(fuseboard.__path__, "fuseboard."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
breaker = fuseboard.CircuitBreaker("search", store=fuseboard.Store.private(), threshold=1)
try:
    breaker.call(int, "not a number")
except ValueError:
    print(breaker.state.value)
"""


def test_the_package_works_without_what_only_unix_has() -> None:
    """All modules can be imported, and a private store works, without forks, users, and modules such as ``fcntl``."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - ours
    assert (0, "open\n") == (done.returncode, done.stdout), done.stderr
