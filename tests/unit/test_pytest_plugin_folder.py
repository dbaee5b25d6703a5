"""Fuseboard's pytest plugin keeps a run away from the host's tables, shared ones too, and tests from each other."""

import os
import re
from pathlib import Path

import pytest

from fuseboard import Store
from fuseboard._store import registry

SHOP = """
    import os, stat, subprocess, sys
    import pytest
    from pathlib import Path
    from fuseboard import CircuitBreaker, State, Store

    shop = Store.shared("shop", strict=True)
    breaker = CircuitBreaker("db", threshold=1, store=shop)

    def fail():
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)
"""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The host's folder, in which nothing may be made, and no word of a private store but the plugin's."""
    monkeypatch.setenv("FUSEBOARD_DIR", str(tmp_path / "host"))
    monkeypatch.delenv("FUSEBOARD_STORE", raising=False)
    return tmp_path / "host"


def what_is_ours() -> tuple[dict[str, str], object, dict[tuple[str, str | None], object]]:
    """Our variables, the default store, and the shared stores that are open."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("FUSEBOARD_")}
    return variables, registry.default(), dict(registry.shared)


def test_a_conftest_that_calls_at_import_stays_off_the_hosts_store(pytester: pytest.Pytester, host: Path) -> None:
    """The plugin is there before any conftest, and so before the application that one imports."""
    pytester.makeconftest("""
    from fuseboard import CircuitBreaker, Store
    CircuitBreaker("db").call(int)
    assert Store.shared("shop").is_shared
    """)
    pytester.makepyfile("def test_nothing(): pass")
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)
    assert not host.exists()


def test_a_default_store_that_is_open_already_is_left(pytester: pytest.Pytester, host: Path) -> None:
    """A plugin given by ``-p`` comes before ours; its breakers move to the test's store all the same."""
    pytester.makepyfile(
        early="""
    from fuseboard import CircuitBreaker, Store
    breaker = CircuitBreaker("db", threshold=1)
    breaker.isolate()
    """
    )
    pytester.makepyfile("""
    import early
    import pytest
    from fuseboard import State, Store

    @pytest.fixture(scope="session", autouse=True)
    def session():
        assert early.breaker.state is State.CLOSED
        assert not Store.default().is_shared

    def test_state():
        assert early.breaker.state is State.CLOSED
    """)
    pytester.syspathinsert()
    pytester.runpytest_subprocess("-q", "-p", "early").assert_outcomes(passed=1)
    assert 1 == len(list(host.iterdir())), "the plugin that came first opened it"


def test_shared_stores_begin_every_test_without_fuses(pytester: pytest.Pytester, host: Path) -> None:
    """Also where the application names its store."""
    pytester.makepyfile(f"""{SHOP}
    @pytest.mark.parametrize("turn", range(3))
    def test_trip(turn):
        assert shop.is_shared
        assert {{}} == shop.all_states()
        fail()
        breaker.isolate()
        assert breaker.state is State.ISOLATED
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=3)
    assert not host.exists()


def test_tables_of_a_run_lie_in_a_private_folder_that_goes_with_it(pytester: pytest.Pytester, host: Path) -> None:
    """Processes that tests start share it."""
    pytester.makepyfile(f"""{SHOP}
    def test_folder():
        folder = Path(os.environ["FUSEBOARD_DIR"])
        assert folder == Path(shop.path).parent
        assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
        print("folder:", folder, end=";")

    def test_child():
        fail()
        program = "from fuseboard import Store; print(Store.shared('shop', strict=True).state('db').state)"
        assert subprocess.check_output([sys.executable, "-c", program], text=True) == "State.OPEN\\n"
    """)
    told = pytester.runpytest_subprocess("-q", "-s")
    told.assert_outcomes(passed=2)
    found = re.search("folder: (.*?);", told.stdout.str())
    assert found is not None
    assert not Path(found[1]).exists()
    assert not host.exists()


def test_workers_of_pytest_xdist_have_a_folder_each(pytester: pytest.Pytester, host: Path) -> None:
    """Tests that run at once, in several processes of one run, share no table; the folders go with the run."""
    pytester.makepyfile(f"""{SHOP}
    @pytest.mark.parametrize("turn", range(2))
    def test_trip(turn, worker_id):
        assert {{}} == shop.all_states()
        fail()
        Path({str(pytester.path)!r}, worker_id).write_text(str(Path(shop.path).parent))
    """)
    pytester.runpytest_subprocess("-q", "--numprocesses=2", "--dist=each").assert_outcomes(passed=4)
    folders = {(pytester.path / worker).read_text() for worker in ("gw0", "gw1")}
    assert 2 == len(folders)
    assert not any(Path(folder).exists() for folder in folders)
    assert not host.exists()


def test_a_folder_and_a_store_that_a_test_sets_are_its_own(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """What lies in another folder is nobody's to reset."""
    (tmp_path / "mine").mkdir(mode=0o700)
    pytester.makepyfile(f"""
    import pytest
    from fuseboard import State, Store
    from fuseboard._store import registry

    @pytest.fixture
    def mine(monkeypatch):
        monkeypatch.setenv("FUSEBOARD_DIR", {str(tmp_path / "mine")!r})
        monkeypatch.setenv("FUSEBOARD_STORE", "till")

    def test_first(mine, fuseboard_store):
        Store.shared("shop", strict=True).set_open("db")
        fuseboard_store.close()
        assert ("till", True) == (Store.default().name, Store.default().is_shared)

    def test_second(mine):
        assert State.OPEN is Store.shared("shop", strict=True).state("db").state
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=2)
    assert ["shop", "till"] == sorted(file.name.partition(".")[0] for file in (tmp_path / "mine").iterdir())


@pytest.mark.parametrize("conftest", ["", "assert False", "raise KeyboardInterrupt"])
def test_a_run_inside_a_program_leaves_everything_as_it_was(
    pytester: pytest.Pytester, host: Path, conftest: str
) -> None:
    """Environment, default store and open shared stores, also where the run does not get far."""
    before = what_is_ours()
    pytester.makeconftest(f"from fuseboard import Store; Store.shared('shop')\n{conftest}")
    pytester.makepyfile("def test_nothing(): pass")
    try:
        pytester.runpytest_inprocess("-q")
    except KeyboardInterrupt:
        assert "KeyboardInterrupt" in conftest
    assert before == what_is_ours()
    assert not host.exists()


def test_a_conftest_may_name_the_plugin(pytester: pytest.Pytester, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pytest loads none by itself."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest("pytest_plugins = ['fuseboard.pytest_plugin']")
    pytester.makepyfile(f"""{SHOP}
    def test_stores(fuseboard_store):
        assert fuseboard_store is Store.default()
        assert shop.is_shared
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)
    assert not host.exists()


def test_this_very_suite_is_off_the_hosts_tables() -> None:
    """It is active wherever fuseboard is installed beside pytest."""
    with Store.shared("shop", strict=True) as store:
        assert store.path is not None
        folder = Path(store.path).parent
    assert Path(os.environ["FUSEBOARD_DIR"]) == folder
    assert folder.name.startswith("fuseboard-pytest-")
