"""Every Python block of the README and the docs runs, alone and in a process of its own."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(match[1], id=f"{page.relative_to(ROOT)}:{page.read_text()[: match.start()].count(chr(10)) + 1}")
    for page in PAGES
    for match in FENCED.finditer(page.read_text())
]


def run(block: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a block as a program, or with pytest if it holds tests."""
    program = folder / "test_block.py"
    program.write_text(block)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FUSEBOARD_")}
    environment["FUSEBOARD_DIR"] = str(folder / "tables")
    runner = ["-m", "pytest", "-q", "--rootdir", str(folder)] if "def test_" in block else []
    command = [sys.executable, "-W", "error", *runner, str(program)]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def outputs(text: str) -> list[tuple[str, str]]:
    """The Python blocks of a page behind which their output stands, and that."""
    return re.findall(r"^```python\n((?:(?!^```).)*?)^```\n\n```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_docs_runs(block: str, tmp_path: Path) -> None:
    """What the docs show is what happens."""
    done = run(block, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_output_in_the_docs_is_what_comes_out(page: Path, tmp_path: Path) -> None:
    """A block without a language behind a Python block is what that prints."""
    for block, printed in outputs(page.read_text()):
        assert printed == run(block, tmp_path).stdout


def test_output_is_found() -> None:
    """Negative control: there are such blocks, and only those right behind a Python block are taken."""
    assert 3 <= sum(len(outputs(page.read_text())) for page in PAGES)
    assert [("a\n", "b\n")] == outputs("```python\na\n```\n\n```\nb\n```\n\n```python\nc\n```\nd\n```\ne\n```\n")


def test_variables_in_the_docs_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page on tuning tells operators to write."""
    text = (ROOT / "docs/how-to/tuning.md").read_text()
    found = [word.split("=", 1) for word in shlex.split(text.split("```sh\n")[1].split("```")[0])]
    assert 3 <= len(found)
    for name, value in found:
        with monkeypatch.context() as only:
            only.setenv(name, value)
            assert CircuitBreaker("payments-db").settings != Settings()


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    """Negative control: the check above can fail."""
    assert run("import fuseboard\nfuseboard.CircuitBreaker('')\n", tmp_path).returncode != 0


def test_there_are_blocks() -> None:
    """Negative control: the pages are found."""
    assert {"README.md", "testing.md", "first-breaker.md"} <= {page.name for page in PAGES}
    assert len(BLOCKS) >= 6


def test_links_between_pages_lead_somewhere() -> None:
    """A relative link names a file of the repository."""
    link = re.compile(r"\]\((?!https?:|#)([^)#]+)")
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in link.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
