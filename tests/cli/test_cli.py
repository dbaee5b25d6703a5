"""The command line as a whole: help, version, exit codes."""

import importlib.metadata
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fuseboard.cli import main


def _exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    code = stop.value.code
    assert isinstance(code, int)
    return code


def test_help_names_every_command_and_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks for help sees what there is."""
    assert _exit_code("--help") == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("show", "journal", "demo", "FUSEBOARD_STORE", "FUSEBOARD_DIR"))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("show", ["--store NAME", "default: default", "environment:", "FUSEBOARD_STORE", "--json", "times in seconds"]),
        ("journal", ["--store NAME", "default: default", "--follow", "Ctrl-C", "--json", "in seconds"]),
        ("demo", ["--workers N", "default: 4", "--threshold N", "default: 5", "--plain", "--json", "Exit code"]),
    ],
)
def test_help_of_a_command_names_its_options_and_their_defaults(
    command: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Options show unit, default and environment variable."""
    assert _exit_code(command, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert [word for word in words if word not in text] == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the package's."""
    assert _exit_code("--version") == 0
    assert f"fuseboard {importlib.metadata.version('fuseboard')}\n" == capsys.readouterr().out


@pytest.mark.parametrize("module", ["fuseboard", "fuseboard.cli"])
def test_it_is_a_module_to_run_too(module: str, folder: Path) -> None:
    """The same as the command, and lines on usage say what was called."""
    assert folder.is_dir()
    ways = [[str(Path(sys.executable).with_name("fuseboard"))], [sys.executable, "-m", module]]
    by_name, as_module = (_told([*way, "show", "--store", "shop"]) for way in ways)
    assert (1, "", True) == (*by_name[:2], by_name[2].startswith("fuseboard show: there is no store 'shop'"))
    assert by_name == as_module
    for way, name in zip(ways, ["fuseboard", f"python -m {module}"], strict=True):
        code, output, errors = _told([*way, "dance"])
        assert (2, "") == (code, output)
        assert errors.startswith(f"usage: {name} ")
        assert errors.splitlines()[-1].startswith(f"{name}: error: ")
        assert _told([*way, "show", "--help"])[1].startswith(f"usage: {name} show ")


def test_to_import_the_module_runs_nothing() -> None:
    """Tools that import everything they find do no harm."""
    program = "import fuseboard.__main__, fuseboard.cli.__main__"
    assert (0, "", "") == _told([sys.executable, "-c", program])


def test_ctrl_c_needs_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, as shells say it."""

    def interrupted(*_arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("fuseboard.cli._stores.with_store", interrupted)
    # Whoever was started in the background of a shell ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert 130 == main(["show", "--store", "shop"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert ("", "") == capsys.readouterr()


def _told(command: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("dance",), ("show", "--color"), ("demo", "--workers", "1"), ("demo", "--threshold", "many")],
)
def test_wrong_use_exits_with_2_and_shows_the_right_one(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is told apart from a failure."""
    assert _exit_code(*arguments) == 2
    assert "usage: fuseboard" in capsys.readouterr().err
