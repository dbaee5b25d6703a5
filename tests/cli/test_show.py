"""``fuseboard show``: a store's fuses as a table and as JSON."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, Store
from fuseboard.cli import _render, main
from fuseboard.testing import Clock


class Broken(Exception):  # noqa: N818 - what a service raises
    """The service's failure."""


def _fail() -> None:
    raise Broken


@pytest.fixture
def shop(folder: Path) -> Iterator[Store]:
    """A host's store with three fuses: one open after 3 failures and 2 rejections, one closed with 1, one isolated."""
    with Store.shared("shop", fuses=8, strict=True) as store:
        assert store.path is not None
        assert folder in Path(store.path).parents
        payments = CircuitBreaker("payments", threshold=3, store=store)
        for raised in [Broken] * 3 + [CircuitOpenError] * 2:
            with pytest.raises(raised):
                payments.call(_fail)
        search = CircuitBreaker("search", store=store)
        search.call(int)
        with pytest.raises(Broken):
            search.call(_fail)
        CircuitBreaker("maps", store=store).isolate()
        yield store


def test_the_table_has_a_line_for_each_fuse(shop: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Fuses by name: state, seconds, failures in the window, totals."""
    assert main(["show", "--store", "shop"]) == 0
    title, head, *lines = capsys.readouterr().out.splitlines()
    assert title == f"store 'shop', table {shop.path}"
    assert head.split() == ["FUSE", "STATE", "SECONDS", "WINDOW", "GOOD", "FAILED", "REJECTED", "PROBES", "OPENED"]
    rows = [line.split() for line in lines]
    assert all(float(row.pop(2)) < 60 for row in rows)
    assert rows == [
        ["maps", "isolated", "0", "0", "0", "0", "0", "0"],
        ["payments", "open", "0", "0", "3", "2", "0", "1"],
        ["search", "closed", "1", "1", "1", "0", "0", "0"],
    ]
    assert shop.snapshot()["payments"].rejections == 2, "looking changes nothing"


def test_json_has_every_counter(shop: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object with what the table shows, and the rest."""
    assert main(["show", "--store", "shop", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert ("shop", str(shop.path)) == (shown["store"], shown["path"])
    assert {"maps", "payments", "search"} == set(shown["fuses"])
    payments = shown["fuses"]["payments"]
    assert 0 <= payments.pop("for_seconds") < 60
    assert shop.snapshot()["payments"].generation == payments.pop("generation")
    expected = dict.fromkeys(("window_failures", "successes", "ignored", "late_outcomes", "probes", "closes"), 0)
    expected |= {"failures": 3, "rejections": 2, "trips": 1, "settings_changes": 0, "failed_probes": 0, "slow": 0}
    expected |= {"override_ends_in_seconds": None, "who": None, "why": None}
    assert {"state": "open", "module": "test_show", "last_failure_seconds_ago": None, **expected} == payments
    assert 0 <= shown["fuses"]["search"]["last_failure_seconds_ago"] < 60


def test_the_environment_names_the_store(
    shop: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --store it is FUSEBOARD_STORE."""
    monkeypatch.setenv("FUSEBOARD_STORE", str(shop.name))
    assert main(["show"]) == 0
    assert "payments" in capsys.readouterr().out


def test_a_store_without_fuses_says_what_to_look_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty table is most often the wrong one."""
    Store.shared("empty", fuses=8, strict=True).close()
    assert main(["show", "--store", "empty"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("'empty' has no fuses yet", str(folder), "--store", "FUSEBOARD_DIR"))
    assert main(["show", "--store", "empty", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fuses"] == {}


def test_a_name_that_would_move_the_cursor_is_escaped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fuse's name is anybody's text; a terminal obeys what it prints."""
    assert folder.is_dir()
    with Store.shared("shop", fuses=8, strict=True) as store:
        store.record_success("\x1b[2Jgone\n")
        assert main(["show", "--store", "shop"]) == 0
    assert r"\x1b[2Jgone\n  closed" in capsys.readouterr().out


def test_every_column_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads the table at night need not guess."""
    with pytest.raises(SystemExit):
        main(["show", "--help"])
    told = capsys.readouterr().out
    assert [] == [name for name in _render._HEAD if f"\n  {name} " not in told]


def test_failed_probes_are_no_trips(folder: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """OPENED counts both, as it says: here one trip, and one probe that failed."""
    assert folder.is_dir()
    with Store.shared("shop", fuses=8, strict=True, clock=clock) as store:
        payments = CircuitBreaker("payments", threshold=1, reset_timeout=30, store=store)
        for _ in range(2):
            with pytest.raises(Broken):
                payments.call(_fail)
            clock.advance(30)
        assert main(["show", "--store", "shop"]) == 0
    _, head, line = capsys.readouterr().out.splitlines()
    found = dict(zip(head.split(), line.split(), strict=True))
    assert ("2", "1", "2") == (found["FAILED"], found["PROBES"], found["OPENED"])


def table(store: Store, columns: int | None = None) -> list[str]:
    """The lines of a store's table, without the one that names the store."""
    view = _render.StoreView("shop", "path", store.now(), store.snapshot())
    return _render.as_table(view, columns).splitlines()[1:]


@pytest.mark.parametrize("columns", [40, 90, 120])
def test_a_long_name_is_shortened_to_the_terminal(store: Store, columns: int) -> None:
    """One long name must not push every line past the edge. Its beginning and its end stay: there the key is."""
    for name in ("x" * 195 + "-eu-1", "short"):
        store.record_success(name)
    lines = table(store, columns)
    assert {len(lines[0])} == {len(line) for line in lines}
    assert len(lines[0]) <= max(columns, 12 + 75)
    assert "short " in lines[1]
    assert "xxx..." in lines[2]
    assert "eu-1  closed" in lines[2]


def test_where_nobody_looks_names_are_whole_and_the_others_stay_in_their_columns(store: Store) -> None:
    """As in a pipe, for ``grep``: a long name moves its own line alone."""
    for name in ("x" * 200, "y" * 40, "short"):
        store.record_success(name)
    head, short, long, other = table(store)
    assert long.startswith("x" * 200 + "  closed")
    assert {42} == {line.index(word) for line, word in ((head, "STATE"), (short, "closed"), (other, "closed"))}


@pytest.mark.parametrize("columns", [None, 80, 100])
def test_wide_characters_take_two_columns(store: Store, columns: int | None) -> None:
    """And marks on others none: what stands behind them is in its column."""
    names = ["\u652f\u4ed8" * 9, "ra\u0308cher", "plain"]
    for name in names:
        store.record_success(name)
    lines = table(store, columns)
    places = {_render._width(line[: line.index("closed")]) for line in lines[1:]}
    assert {lines[0].index("STATE")} == places


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_output_that_finds_no_room_is_one_line_of_complaint(folder: Path, form: list[str]) -> None:
    """Exit code 1, and no traceback."""
    assert folder.is_dir()
    Store.shared("shop", strict=True).close()
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "fuseboard.cli", "show", "--store", "shop", *form]
        done = subprocess.run(  # noqa: S603 - our own program
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert (1, "fuseboard: [Errno 28] No space left on device\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("fault", "code", "way_out"),
    [
        (("FUSEBOARD_STORE", "no/such"), 2, "use another --store NAME"),
        (("FUSEBOARD_STORE", ":private:"), 2, "use --store NAME"),
        (("FUSEBOARD_DIR", "/proc/nowhere"), 1, "or FUSEBOARD_DIR"),
        (("FUSEBOARD_DIR", "tables"), 1, "Set FUSEBOARD_DIR"),
    ],
)
def test_errors_name_the_way_out(
    fault: tuple[str, str], code: int, way_out: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be shown is an error with a hint, on standard error."""
    monkeypatch.setenv("FUSEBOARD_STORE", "shop")
    monkeypatch.setenv(*fault)
    assert main(["show"]) == code
    streams = capsys.readouterr()
    assert not streams.out
    assert way_out in streams.err


@pytest.mark.parametrize("command", ["show", "journal"])
@pytest.mark.parametrize("is_there", [True, False])
def test_whoever_looks_makes_nothing(
    command: str,
    is_there: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """T11: neither table nor folder: root's would be of no use to the service that comes later."""
    folder = tmp_path / "tables"
    if is_there:
        folder.mkdir(mode=0o700)
    monkeypatch.setenv("FUSEBOARD_DIR", str(folder))
    assert main([command, "--store", "shop"]) == 1
    said = capsys.readouterr().err
    assert f"fuseboard {command}: there is no store 'shop' of this user at {folder}" in said
    assert ([folder] if is_there else []) == list(tmp_path.rglob("*"))
