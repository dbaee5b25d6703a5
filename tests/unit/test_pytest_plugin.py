"""Fuseboard's pytest plugin, seen from test suites that have it."""

import os
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Store
from fuseboard._store import registry
from fuseboard.testing import Clock


@pytest.fixture
def no_host_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which nothing may be opened, and no word of a private store but the plugin's."""
    monkeypatch.setenv("FUSEBOARD_DIR", str(tmp_path / "host"))
    monkeypatch.delenv("FUSEBOARD_STORE", raising=False)
    return tmp_path / "host"


BREAKER = """
    import os
    import pytest
    from fuseboard import CircuitBreaker, CircuitOpenError, State, Store

    breaker = CircuitBreaker("db", threshold=1, reset_timeout=30)

    def fail():
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)
"""


CALLS_AT_IMPORT = """
    from fuseboard import CircuitBreaker
    CircuitBreaker("db").call(int)
"""


def tables(folder: Path) -> list[str]:
    """The names of the stores in a folder."""
    return sorted(file.name.partition(".")[0] for file in folder.iterdir())


def test_each_test_has_a_default_store_of_its_own(pytester: pytest.Pytester, no_host_store: Path) -> None:
    """State that outlives callers does not outlive tests."""
    pytester.makepyfile(f"""{BREAKER}
    @pytest.mark.parametrize("turn", range(3))
    def test_trip(turn):
        assert breaker.state is State.CLOSED
        fail()
        assert breaker.state is State.OPEN
    """)
    pytester.runpytest("-q").assert_outcomes(passed=3)
    assert not no_host_store.exists()


def test_the_store_of_a_test_can_be_asked_for(pytester: pytest.Pytester) -> None:
    """``fuseboard_store`` is the private default store."""
    pytester.makepyfile(f"""{BREAKER}
    def test_store(fuseboard_store):
        assert fuseboard_store is Store.default() is breaker.store
        assert not fuseboard_store.is_shared
        fail()
        assert fuseboard_store.snapshot()["db"].trips == 1
    """)
    pytester.runpytest("-q").assert_outcomes(passed=1)


def test_a_test_that_asks_for_the_clock_moves_time(pytester: pytest.Pytester) -> None:
    """``fuseboard_clock`` is the default store's clock, and stands still at a whole second."""
    pytester.makepyfile(f"""{BREAKER}
    import time

    def test_clock(fuseboard_clock, fuseboard_store):
        before = fuseboard_clock.now
        assert fuseboard_store.now() == before == int(before)
        time.sleep(0.001)
        assert fuseboard_store.now() == before
        fail()
        with pytest.raises(CircuitOpenError):
            breaker.call(int)
        fuseboard_clock.advance(30)
        assert breaker.call(int) == 0
        assert breaker.state is State.CLOSED

    @pytest.fixture
    def moved(fuseboard_clock):
        before = fuseboard_clock.now
        fuseboard_clock.advance(5)
        return before + 5

    def test_indirectly(moved, fuseboard_store):
        assert fuseboard_store.now() == moved

    def test_without(fuseboard_store):
        before = fuseboard_store.now()
        time.sleep(0.001)
        assert fuseboard_store.now() > before
    """)
    pytester.runpytest("-q").assert_outcomes(passed=3)


def test_code_outside_of_tests_stays_off_the_hosts_store(pytester: pytest.Pytester, no_host_store: Path) -> None:
    """At import and in fixtures of a session the default store is private too, and in processes that tests start."""
    pytester.makepyfile(f"""{BREAKER}
    import subprocess, sys

    breaker.call(int)
    assert not Store.default().is_shared

    @pytest.fixture(scope="session", autouse=True)
    def session():
        breaker.call(int)
        assert not Store.default().is_shared
        yield
        assert not Store.default().is_shared

    def test_child():
        program = "from fuseboard import Store; print(Store.default().is_shared)"
        assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\\n"
    """)
    pytester.runpytest("-q").assert_outcomes(passed=1)
    assert not no_host_store.exists()


@pytest.mark.parametrize("before", [None, "shop"])
def test_the_environment_is_put_back(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, no_host_store: Path, before: str | None
) -> None:
    """A run inside a program leaves its environment as it was, and its default store."""
    if before is not None:
        monkeypatch.setenv("FUSEBOARD_STORE", before)
    store = registry.default()
    pytester.makepyfile("""
    import os
    def test_inside():
        assert os.environ["FUSEBOARD_STORE"] == ":private:"
    """)
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    assert (before, store) == (os.environ.get("FUSEBOARD_STORE"), registry.default())
    assert not no_host_store.exists()


def test_the_plugin_can_be_turned_off(pytester: pytest.Pytester, no_host_store: Path) -> None:
    """``-p no:fuseboard``: then the default store is the host's again."""
    pytester.makepyfile("""
    import os
    from pathlib import Path
    def test_inside(request):
        assert "FUSEBOARD_STORE" not in os.environ
        assert "host" == Path(os.environ["FUSEBOARD_DIR"]).name
        assert "fuseboard_store" not in request.fixturenames
    """)
    pytester.makeconftest(CALLS_AT_IMPORT)
    pytester.runpytest_subprocess("-q", "-p", "no:fuseboard").assert_outcomes(passed=1)
    assert ["default"] == tables(no_host_store)


def test_the_fixtures_explain_themselves(pytester: pytest.Pytester) -> None:
    """``pytest --fixtures`` tells what they are for."""
    told = pytester.runpytest("--fixtures", "-q").stdout.str()
    assert "fuseboard_clock" in told
    assert "A clock to move" in told
    assert "The private default store of this test." in told


def test_this_very_suite_has_the_plugin(fuseboard_store: Store, fuseboard_clock: Clock) -> None:
    """It is active wherever fuseboard is installed beside pytest."""
    assert ":private:" == os.environ["FUSEBOARD_STORE"]
    assert fuseboard_store is CircuitBreaker("db").store
    assert fuseboard_clock.now == fuseboard_store.now()
