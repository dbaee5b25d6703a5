"""The clock of a test run: all stores that are the run's alone go by it, whoever opened them and when."""

from pathlib import Path

import pytest

APP = """
    import os
    import subprocess
    import sys
    import warnings

    import pytest
    from fuseboard import CircuitBreaker, CircuitOpenError, State, Store
    from fuseboard.testing import Clock, private_default_store

    def guarded(store):
        return CircuitBreaker("db", threshold=1, reset_timeout=30, store=store)

    at_import = {
        "shared": guarded(Store.shared("shop")),
        "private": guarded(Store.private()),
        "default": guarded(None),
    }

    def fail(breaker):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)

    def opens_and_closes(breaker, clock):
        fail(breaker)
        for _ in range(2):
            with pytest.raises(CircuitOpenError):
                breaker.call(int)
            clock.advance(15)
        assert 0 == breaker.call(int)
        return breaker.state is State.CLOSED
"""


def test_stores_that_were_opened_at_import_are_moved(pytester: pytest.Pytester) -> None:
    """``Store.shared("shop")`` in the application, ``fuseboard_clock.advance(30)`` in the test."""
    pytester.makepyfile(f"""{APP}
    @pytest.mark.parametrize("turn", range(2))
    @pytest.mark.parametrize("name", at_import)
    def test_moved(name, turn, fuseboard_clock):
        breaker = at_import[name]
        breaker.reset()
        assert breaker.store.now() == fuseboard_clock.now
        assert opens_and_closes(breaker, fuseboard_clock)
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=6)


def test_stores_that_a_test_opens_are_moved(pytester: pytest.Pytester) -> None:
    """Before and behind the moment at which it moves the clock."""
    pytester.makepyfile(f"""{APP}
    @pytest.fixture(scope="session")
    def of_the_session():
        return Store.shared("session")

    def test_moved(fuseboard_clock, of_the_session):
        first = Store.shared("first")
        fuseboard_clock.advance(1)
        for store in (first, of_the_session, Store.shared("second"), Store.private(), Store.default()):
            assert store.now() == fuseboard_clock.now
            assert opens_and_closes(guarded(store), fuseboard_clock)
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_time_goes_on_behind_a_test_and_never_back(pytester: pytest.Pytester) -> None:
    """Stamps that were written in moved time stand in the table; behind them nothing would ever be due."""
    pytester.makepyfile(f"""{APP}
    shop = at_import["shared"]
    seen = []

    @pytest.mark.parametrize("turn", range(3))
    def test_moved(turn, fuseboard_clock):
        assert fuseboard_clock.now >= max(seen, default=0)
        fail(shop)
        fuseboard_clock.advance(3600)
        seen.append(fuseboard_clock.now)

    def test_runs():
        before = shop.store.now()
        assert before >= seen[-1]
        while shop.store.now() == before:
            pass
        CircuitBreaker("quick", threshold=1, reset_timeout=0.01, store=shop.store)

    def test_a_state_is_as_old_as_it_is(fuseboard_clock):
        fail(shop)
        assert shop.store.state("db").since - fuseboard_clock.now < 0.001
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=5)


def test_a_clock_that_is_given_counts(pytester: pytest.Pytester) -> None:
    """The run's is for stores that were given none."""
    pytester.makepyfile(f"""{APP}
    def test_given(fuseboard_clock):
        own = Clock()
        stores = [Store.shared("given", clock=own), Store.private(clock=own)]
        fuseboard_clock.advance(5)
        with private_default_store(own) as default:
            assert {{1000}} == {{store.now() for store in (*stores, default)}}
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_other_processes_go_by_the_hosts_clock(pytester: pytest.Pytester) -> None:
    """As the docs say: a clock lives in one process."""
    pytester.makepyfile(f"""{APP}
    def test_child(fuseboard_clock):
        fuseboard_clock.advance(3600)
        program = "from fuseboard import Store; print(Store.shared('shop', strict=True).now())"
        told = subprocess.check_output([sys.executable, "-c", program], text=True)
        assert 3000 < fuseboard_clock.now - float(told) <= 3601
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_store_that_is_not_moved_is_named(pytester: pytest.Pytester, tmp_path: Path, when: str) -> None:
    """One in another folder may be other programs' too: a warning says so, and what to do."""
    (tmp_path / "mine").mkdir(mode=0o700)
    pytester.makepyfile(f"""{APP}
    @pytest.fixture
    def mine(monkeypatch):
        monkeypatch.setenv("FUSEBOARD_DIR", {str(tmp_path / "mine")!r})

    @pytest.fixture
    def opened(mine):
        return Store.shared("till", strict=True)

    def test_before(opened, request):
        with pytest.warns(UserWarning, match="^fuseboard_clock does not move store 'till': ") as told:
            request.getfixturevalue("fuseboard_clock")
        assert "mine, where processes outside this test run may use it." in str(told[0].message)
        assert "Store.shared(name, clock=fuseboard_clock)" in str(told[0].message)
        opened.close()

    def test_meanwhile(mine, fuseboard_clock):
        with pytest.warns(UserWarning, match="^fuseboard_clock does not move store 'till': "):
            store = Store.shared("till", strict=True)
        fuseboard_clock.advance(3600)
        assert store.now() < fuseboard_clock.now - 3000
        store.close()

    def test_without(mine):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Store.shared("till", strict=True).close()
    """)
    pytester.runpytest_subprocess("-q", "-k", f"{when} or without").assert_outcomes(passed=2, deselected=1)


def test_the_hosts_clock_is_back_when_the_run_is_over(pytester: pytest.Pytester) -> None:
    """A run inside a program leaves its stores' clock as it was."""
    pytester.makepyfile(f"""{APP}
    def test_moved(fuseboard_clock):
        fuseboard_clock.advance(604_800)
    """)
    pytester.makepyfile(
        program="""
    import time
    import pytest
    from fuseboard import Store
    assert 0 == pytest.main(["-q", "-p", "no:cacheprovider", "test_the_hosts_clock_is_back_when_the_run_is_over.py"])
    assert abs(Store.private().now() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60
    """
    )
    done = pytester.runpython("program.py")
    assert 0 == done.ret, done.stdout.str() + done.stderr.str()
