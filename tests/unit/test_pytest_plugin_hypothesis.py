"""Each example that Hypothesis tries begins with fresh stores: what one did would fail the next, or hide its fault."""

import pytest

SHOP = """
    import subprocess
    import sys
    import unittest

    import pytest
    from hypothesis import HealthCheck, given, settings, strategies
    from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
    from fuseboard import CircuitBreaker, State, Store
    from fuseboard.testing import Clock, force_state, private_default_store

    FIXTURES = [HealthCheck.function_scoped_fixture]
    default = CircuitBreaker("db", threshold=2, reset_timeout=30)
    shared = CircuitBreaker("db", threshold=2, reset_timeout=30, store=Store.shared("shop"))
    tried = []

    def fail(breaker):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)

    def fails_once(number):
        tried.append(number)
        for breaker in (default, shared):
            fail(breaker)
            snapshot = breaker.store.snapshot()["db"]
            assert (State.CLOSED, 1, 1) == (breaker.state, snapshot.failures, snapshot.window_failures)

    @pytest.fixture(autouse=True)
    def many():
        tried.clear()
        yield
        assert len(tried) >= 10
"""


@pytest.mark.parametrize("form", ["plain", "parametrized", "method", "case"])
def test_no_example_sees_what_another_did(pytester: pytest.Pytester, form: str) -> None:
    """In the default store and in shared ones, in whatever form the test is written."""
    pytester.makepyfile(f"""{SHOP}
    @given(strategies.integers(0, 99))
    def test_plain(number):
        fails_once(number)

    @pytest.mark.parametrize("turn", range(2))
    @given(number=strategies.integers(0, 99))
    def test_parametrized(number, turn):
        fails_once(number)

    class TestOne:
        @given(strategies.integers(0, 99))
        def test_method(self, number):
            fails_once(number)

    class Case(unittest.TestCase):
        @given(strategies.integers(0, 99))
        def test_case(self, number):
            fails_once(number)
    """)
    passed = 2 if form == "parametrized" else 1
    pytester.runpytest_subprocess("-q", "-k", f"test_{form}").assert_outcomes(passed=passed, deselected=5 - passed)


def test_coroutine_functions_that_a_runner_drives_are_given_fresh_stores_too(pytester: pytest.Pytester) -> None:
    """Anyio's plugin takes the function for a coroutine function still, and wraps it in its turn."""
    pytester.makepyfile(f"""{SHOP}
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param

    @pytest.mark.anyio
    @settings(suppress_health_check=FIXTURES)
    @given(number=strategies.integers(0, 99))
    async def test_driven(number, anyio_backend):
        fails_once(number)
    """)
    pytester.runpytest_subprocess("-q", "-p", "anyio").assert_outcomes(passed=2)


def test_runs_of_a_state_machine_begin_with_fresh_stores(pytester: pytest.Pytester) -> None:
    """Each run of it is an example; within a run its steps share them."""
    pytester.makepyfile(f"""{SHOP}
    class Machine(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            tried.append(self)
            self.failures = 0

        @rule()
        def failure(self):
            if self.failures < 2:
                fail(default)
                fail(shared)
                self.failures += 1

        @invariant()
        def as_counted(self):
            state = State.OPEN if self.failures == 2 else State.CLOSED
            assert (state, state) == (default.state, shared.state)

    class Plain(Machine):
        pass

    TestMachine, TestPlain = Machine.TestCase, Plain.TestCase

    def test_it_is_as_it_was():
        tried.extend(range(10))
        assert "__init__" not in vars(Plain)
        assert "__wrapped__" not in vars(vars(Machine)["__init__"])
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=3)


def test_the_store_of_the_test_stays_if_it_is_asked_for(pytester: pytest.Pytester) -> None:
    """Somebody looks at that very store, so it is emptied instead of replaced; also by way of another fixture."""
    pytester.makepyfile(f"""{SHOP}
    @pytest.fixture
    def look(fuseboard_store):
        return fuseboard_store.snapshot

    @settings(suppress_health_check=FIXTURES)
    @given(number=strategies.integers(0, 99))
    def test_direct(number, fuseboard_store):
        fails_once(number)
        assert fuseboard_store is Store.default()
        assert 1 == fuseboard_store.snapshot()["db"].failures

    @settings(suppress_health_check=FIXTURES)
    @given(number=strategies.integers(0, 99))
    def test_indirect(number, look):
        fails_once(number)
        assert 1 == look()["db"].failures
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=2)


def test_a_default_store_that_a_fixture_put_there_stays(pytester: pytest.Pytester) -> None:
    """It is the test's own business."""
    pytester.makepyfile(f"""{SHOP}
    @pytest.fixture
    def own():
        with private_default_store(Clock()) as store:
            yield store

    @settings(suppress_health_check=FIXTURES)
    @given(number=strategies.integers(0, 99))
    def test_own(number, own):
        tried.append(number)
        assert Store.default() is own is default.store
        fail(shared)
        assert 1 == shared.store.snapshot()["db"].failures
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_the_clock_can_be_moved_in_examples(pytester: pytest.Pytester) -> None:
    """However many began before at one moment, what is due is due."""
    pytester.makepyfile(f"""{SHOP}
    @settings(suppress_health_check=FIXTURES)
    @given(number=strategies.integers(0, 99))
    def test_clock(number, fuseboard_clock):
        fails_once(number)
        for breaker in (default, shared):
            fail(breaker)
        fuseboard_clock.advance(30)
        assert [0, 0] == [breaker.call(int) for breaker in (default, shared)]

    @pytest.mark.parametrize("breaker", [default, shared])
    def test_due(breaker, fuseboard_clock, _fuseboard_examples):
        tried.extend(range(10))
        for number in range(300):
            _fuseboard_examples.begin()
            fail(breaker)
            fail(breaker)
            assert State.OPEN is breaker.state
        fuseboard_clock.advance(30)
        assert 0 == breaker.call(int)
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=3)


def test_a_failing_example_is_shown_and_everything_is_put_back(pytester: pytest.Pytester) -> None:
    """Shrinking tries many; the test after it finds its own store."""
    pytester.makepyfile(f"""{SHOP}
    @given(strategies.integers(0, 99))
    def test_fails(number):
        fails_once(number)
        assert number < 10

    def test_after():
        tried.extend(range(10))
        assert State.CLOSED is default.state is shared.state
        assert "__wrapped__" not in vars(test_fails.hypothesis.inner_test)
    """)
    told = pytester.runpytest_subprocess("-q")
    told.assert_outcomes(passed=1, failed=1)
    told.stdout.fnmatch_lines(["*number=10,"])


def test_hypothesis_is_not_imported_where_nobody_uses_it(pytester: pytest.Pytester) -> None:
    """And need not be there at all."""
    pytester.makepyfile("""
    import sys

    def test_without():
        assert "hypothesis" not in sys.modules
    """)
    pytester.runpytest_subprocess("-q", "-p", "no:hypothesispytest").assert_outcomes(passed=1)
