"""``fuseboard journal``: what happened to a store's fuses, for people and for programs."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard import Cause, State, Store, Transition
from fuseboard.cli import _render, main
from helpers import wait_until

MOMENT = dt.datetime(1970, 1, 1, 0, 0, 2, 500_000, dt.UTC)

OTHERS = "others were dropped: they were too old, or their fuse was removed"
LISTENS_TO_CTRL_C = """
import signal
from fuseboard.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
raise SystemExit(main())
"""


@pytest.fixture
def shop(folder: Path) -> Iterator[Store]:
    """A host's store in which one fuse was opened and closed again."""
    with Store.shared("shop", strict=True) as store:
        assert store.path is not None
        assert folder in Path(store.path).parents
        store.set_open("payments")
        store.set_closed("payments")
        yield store


def test_it_shows_what_the_table_remembers(shop: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Oldest first, with the time of day and the process."""
    assert main(["journal", "--store", str(shop.name)]) == 0
    lines = [line.split("  ", 1) for line in capsys.readouterr().out.splitlines()]
    who = f"by process {os.getpid()}"
    assert [f"payments: closed -> open (set) {who}", f"payments: open -> closed (set) {who}"] == [x[1] for x in lines]
    moments = [dt.datetime.fromisoformat(line[0]) for line in lines]
    assert abs(moments[1].timestamp() - time.time()) < 60


def test_json_has_every_field(shop: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, as the journal says."""
    assert main(["journal", "--store", str(shop.name), "--json"]) == 0
    first, _ = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    made = shop.journal()[0]
    assert first.pop("time").endswith("Z")
    words = {"fuse": "payments", "before": "closed", "after": "open", "cause": "set", "error": None}
    said = {"until": None, "who": None, "why": None}
    assert {"at": made.at, **words, **said, "pid": os.getpid(), "generation": made.generation} == first


def test_it_follows_until_ctrl_c(shop: Store) -> None:
    """What was and what comes, without a gap; Ctrl-C is no error."""
    command = [sys.executable, "-c", LISTENS_TO_CTRL_C, "journal", "--store", str(shop.name), "--json", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            before = [json.loads(process.stdout.readline())["after"] for _ in range(2)]
            shop.set_half_open("payments")
            then = json.loads(process.stdout.readline())["after"]
            process.send_signal(signal.SIGINT)
            rest, complaints = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (["open", "closed"], "half-open", "", "") == (before, then, rest, complaints)
    assert 0 == process.returncode


def test_who_follows_is_told_that_the_table_was_removed(shop: Store, tmp_path: Path) -> None:
    """It does not wait in silence for what nobody writes there; and it goes on with the table that is made anew."""
    command = [sys.executable, "-c", LISTENS_TO_CTRL_C, "journal", "--store", str(shop.name), "--json", "--follow"]
    path, complaints = Path(str(shop.path)), tmp_path / "complaints"
    with (
        complaints.open("w") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,  # noqa: S603
    ):
        try:
            assert process.stdout is not None
            assert "open" == json.loads(process.stdout.readline())["after"]
            path.unlink()
            wait_until(lambda: "the table was removed; waiting for another one\n" in complaints.read_text())
            Store.shared("shop", strict=True).set_open("anew")  # which makes another one
            while "anew" != json.loads(process.stdout.readline())["fuse"]:
                pass
            wait_until(lambda: f"continues with {path}\n" in complaints.read_text())
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(60)
        finally:
            process.kill()


def test_a_dead_services_journal_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T14: nobody has to be alive."""
    assert folder.is_dir()
    program = "import os; from fuseboard import Store; Store.shared('shop').set_open('db'); os.kill(os.getpid(), 9)"
    dead = subprocess.run([sys.executable, "-c", program], check=False, timeout=60, stderr=subprocess.DEVNULL)  # noqa: S603
    assert -signal.SIGKILL == dead.returncode
    assert main(["journal", "--store", "shop"]) == 0
    assert "db: closed -> open" in capsys.readouterr().out


def test_an_empty_journal_says_where_it_looked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error: a program that reads the output finds none."""
    Store.shared("empty", fuses=8, strict=True).close()
    assert main(["journal", "--store", "empty"]) == 0
    streams = capsys.readouterr()
    assert "" == streams.out
    assert "store 'empty' has no transition in its journal" in streams.err
    assert str(folder) in streams.err


@pytest.mark.parametrize("command", ["journal", "show"])
def test_a_store_that_does_not_exist_is_not_made(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Else whoever looked first would choose its size. It says where it looked and what to do."""
    assert main([command, "--store", "shop"]) == 1
    streams = capsys.readouterr()
    begins = f"fuseboard {command}: there is no store 'shop' of this user at {folder}/shop.v2."
    assert ("", True) == (streams.out, streams.err.startswith(begins))
    assert "start the service first, or use another --store NAME" in streams.err
    assert [] == list(folder.iterdir())


def test_what_was_dropped_is_said(shop: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The journal is bounded."""
    for _ in range(1024):
        shop.set_open("payments")
        shop.set_closed("payments")
    assert main(["journal", "--store", str(shop.name)]) == 0
    streams = capsys.readouterr()
    assert (2048, f"fuseboard journal: 2 {OTHERS}\n") == (len(streams.out.splitlines()), streams.err)


def test_a_line_says_what_is_known_and_moves_no_cursor() -> None:
    """Names are anybody's text; the process may be unknown."""
    made = Transition("\x1b[2J", State.CLOSED, State.OPEN, 1.0, Cause.THRESHOLD, "Boom\n", None, 1_000_000, MOMENT)
    line = r"1970-01-01T00:00:02.500Z  \x1b[2J: closed -> open (threshold, Boom\n)"
    assert line == _render.transition_as_line(made)
