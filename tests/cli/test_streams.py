"""What commands write to: streams whose encoding lacks characters, that nobody reads, that are closed."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from fuseboard import CircuitBreaker, Store
from fuseboard.cli import _render, main

NAME = "zahlungen-\u0444-\u20ac"
PLAIN = "short"
ESCAPED = {"latin-1": r"zahlungen-\u0444-\u20ac", "cp1251": "zahlungen-\u0444-\u20ac", "utf-8": NAME}
ESCAPED["ascii"] = ESCAPED["latin-1"]
READER_LEFT = (1, "")


OverloadError = type("ÜberlastError", (Exception,), {})
"""A failure whose class has a name that not every encoding has."""


@pytest.fixture
def shop(folder: Path) -> Iterator[Store]:
    """A host's store with two fuses, one with a name of many alphabets, which such an exception opened."""
    assert folder.is_dir()
    with Store.shared("shop", fuses=8, strict=True) as store:
        breaker = CircuitBreaker(NAME, threshold=1, store=store)
        with pytest.raises(OverloadError), breaker:
            raise OverloadError
        store.record_success(PLAIN)
        yield store


def run(
    *arguments: str, encoding: str = "utf-8", stdout: int | IO[bytes] = subprocess.PIPE, **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """Runs the command line in a process of its own."""
    command = [sys.executable, "-m", "fuseboard", *arguments]
    env = {**os.environ, "PYTHONIOENCODING": encoding, **environment}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=60, env=env)  # noqa: S603


@pytest.mark.parametrize("encoding", ESCAPED)
@pytest.mark.parametrize("command", ["show", "journal"])
@pytest.mark.usefixtures("shop")
def test_what_an_encoding_lacks_is_escaped(command: str, encoding: str) -> None:
    """No text is a reason to fail: the exit code is 0, and the rest is as it was."""
    done = run(command, "--store", "shop", encoding=encoding)
    assert (0, b"") == (done.returncode, done.stderr)
    assert ESCAPED[encoding] in done.stdout.decode(encoding)


@pytest.mark.usefixtures("shop")
def test_an_exceptions_name_is_escaped_too() -> None:
    """Class names are text of the application's as well."""
    assert rb"(threshold, \xdcberlastError)" in run("journal", "--store", "shop", encoding="ascii").stdout


@pytest.mark.parametrize("encoding", ESCAPED)
@pytest.mark.usefixtures("shop")
def test_columns_stand_below_each_other_in_any_encoding(encoding: str) -> None:
    """Names are escaped before they are measured."""
    lines = run("show", "--store", "shop", encoding=encoding).stdout.decode(encoding).splitlines()
    assert lines[0].startswith("store 'shop', table /")
    table = lines[-3:]
    assert len({len(line) for line in table}) == 1
    assert len({line.index(word) for line, word in zip(table, ["STATE", "closed", "open"], strict=True)}) == 1


@pytest.mark.parametrize("encoding", ESCAPED)
@pytest.mark.parametrize("command", ["show", "journal"])
@pytest.mark.usefixtures("shop")
def test_json_says_the_same_in_any_encoding(command: str, encoding: str) -> None:
    """It is ASCII, and the names in it are whole."""
    done = run(command, "--store", "shop", "--json", encoding=encoding)
    told = json.loads(done.stdout.decode("ascii"))
    assert (0, True) == (done.returncode, NAME in (told["fuses"] if command == "show" else [told["fuse"]]))


@pytest.mark.parametrize("locale", ["C", "POSIX"])
@pytest.mark.usefixtures("shop")
def test_a_bare_locale_is_enough(locale: str) -> None:
    """As in cron and in containers, with Python's UTF-8 mode and without."""
    bare = {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"}
    for mode in ("0", "1"):
        done = run("show", "--store", "shop", encoding="", PYTHONUTF8=mode, **bare)
        assert (0, b"") == (done.returncode, done.stderr)
        assert b"zahlungen-" in done.stdout


@pytest.mark.parametrize("command", ["show", "journal"])
def test_a_path_of_any_bytes_can_be_named(tmp_path: Path, command: str) -> None:
    """In messages to people too; nothing in it moves the cursor or breaks the line."""
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J\n")
    done = run(command, "--store", "shop", encoding="ascii", FUSEBOARD_DIR=folder)
    assert 1 == done.returncode
    assert rb"/\udcff\x1b[2J\n" in done.stderr
    assert 1 == done.stderr.count(b"\n")


def test_a_store_that_cannot_be_named_is_refused_in_words() -> None:
    """Standard error has the same rule."""
    done = run("show", "--store", "\u0444", encoding="ascii")
    assert (2, True) == (done.returncode, rb"got '\u0444'" in done.stderr)


@pytest.mark.parametrize(
    "arguments", [["show"], ["show", "--json"], ["journal"], ["journal", "--follow"], ["--help"], ["show", "--help"]]
)
@pytest.mark.parametrize("deaf", ["stdout", "both"])
@pytest.mark.usefixtures("shop")
def test_a_reader_who_left_is_no_fault(arguments: list[str], deaf: str) -> None:
    """As with ``| head``: no line, no traceback, exit code 1, also where complaints go into the same pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "fuseboard", *arguments]
    env = {**os.environ, "FUSEBOARD_STORE": "shop", "PYTHONUNBUFFERED": ""}  # else argparse forgives it before us
    with os.fdopen(writing, "wb") as pipe:
        errors = pipe if deaf == "both" else subprocess.PIPE
        done = subprocess.run(command, stdout=pipe, stderr=errors, check=False, timeout=60, env=env)  # noqa: S603
    assert READER_LEFT == (done.returncode, (done.stderr or b"").decode())


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("command", ["show", "journal", "show --json"])
@pytest.mark.usefixtures("shop")
def test_a_closed_stream_swallows(command: str, redirection: str) -> None:
    """As daemons start their children; it is not an error."""
    shell = f"{sys.executable} -m fuseboard {command} --store shop {redirection}"
    done = subprocess.run(shell, shell=True, capture_output=True, check=False, timeout=60)  # noqa: S602 - ours
    assert (0, b"") == (done.returncode, done.stderr)


def test_a_programs_streams_are_as_they_were(monkeypatch: pytest.MonkeyPatch, shop: Store) -> None:
    """The command line may be called by a program, whose streams are its own."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    assert 0 == main(["show", "--store", str(shop.name)])
    assert ("strict", stream) == (stream.errors, sys.stdout)


def test_a_stream_of_text_has_no_encoding_and_needs_none(monkeypatch: pytest.MonkeyPatch, shop: Store) -> None:
    """Such as one that a program collects the output in."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert 0 == main(["show", "--store", str(shop.name)])
    assert NAME in stream.getvalue()


def test_printable_text_is_shown_as_it_is() -> None:
    """Only what cannot be shown is escaped, and what was escaped already is left alone."""
    assert NAME == _render.printable(NAME)
    assert r"back\slash 'quoted'" == _render.printable(r"back\slash 'quoted'", "ascii")
    assert r"a\x1bb\nc\x85d\u202ee\udcff" == _render.printable("a\x1bb\nc\x85d\u202ee\udcff")
