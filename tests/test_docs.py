"""Every Python block of the README and the docs runs, alone and in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_docs_runs(block: str, tmp_path: Path) -> None:
    """What the docs show is what happens."""
    done = run(block, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


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
