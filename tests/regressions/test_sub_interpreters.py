"""A call in a sub-interpreter waited for ever: the compiled part attached itself to the main one, whose lock was held.

Apache's mod_wsgi runs each application in a sub-interpreter, unless told otherwise. Now the import is refused there,
with the way out; the main interpreter goes on.
"""

import subprocess
import sys

import pytest

PRELUDE = """
import sys
try:
    import _interpreters as interpreters
    legacy, isolated = "legacy", "isolated"
    create = interpreters.create
except ImportError:
    import _xxsubinterpreters as interpreters
    legacy, isolated = False, True
    create = lambda isolated: interpreters.create(isolated=isolated)

def run(kind, code):
    interpreter = create(kind)
    interpreters.run_string(interpreter, code)
    interpreters.destroy(interpreter)  # Python 3.14 warns of one that is left

USE = '''
try:
    import fuseboard
except ImportError as error:
    print(type(error).__name__, error, flush=True)
else:
    guarded = fuseboard.CircuitBreaker("db", store=fuseboard.Store.private())(lambda: "answer")
    print(guarded(), flush=True)
'''
"""
REFUSED = (
    "ImportError fuseboard cannot be used in a sub-interpreter, because its calls would hang there. Use the main "
    "interpreter (with mod_wsgi of Apache, set `WSGIApplicationGroup %{GLOBAL}`), or use threads or processes"
)
REFUSED_BY_PYTHON = "ImportError module fuseboard._core does not support loading in subinterpreters"
"""What CPython says of an interpreter with a lock of its own."""


def lines(program: str) -> list[str]:
    """What a program prints, in a process of its own, with a time limit."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


@pytest.mark.parametrize("before", ["", "import fuseboard\n"], ids=["first", "after the main one"])
def test_a_sub_interpreter_is_refused_with_the_way_out(before: str) -> None:
    """Whether the main interpreter has imported the package before or not; and again, in the next one."""
    assert [REFUSED, REFUSED] == lines(before + "run(legacy, USE)\nrun(legacy, USE)")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters have one lock before Python 3.12")
@pytest.mark.parametrize("before", ["", "import fuseboard\n"], ids=["first", "after the main one"])
def test_an_interpreter_with_a_lock_of_its_own_is_refused(before: str) -> None:
    """By Python itself, which asks the compiled part whether it can be had there."""
    assert [REFUSED_BY_PYTHON] == lines(before + "run(isolated, USE)")


def test_the_main_interpreter_goes_on_after_one_was_refused() -> None:
    """What was refused leaves nothing behind: the classes are the main interpreter's."""
    assert [REFUSED, "answer", REFUSED, "answer"] == lines("run(legacy, USE)\nexec(USE)\nrun(legacy, USE)\nexec(USE)")
