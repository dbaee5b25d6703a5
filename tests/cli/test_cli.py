"""The command line as a whole: help, version, exit codes."""

import importlib.metadata

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
