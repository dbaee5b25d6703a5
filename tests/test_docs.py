"""What the README and the docs show is what happens.

* A ``python`` block runs, alone and in a process of its own.
* A block without a language stands right behind a ``python`` block, and is what that prints. Other text is ``text``.
* A ``console`` block is commands, each behind a ``$``, and what they write to both streams. They run one after another,
  page by page, in a folder with the programs that the page says to save. A process id (31337, 31338), seconds,
  fractions, the folder of a table (/dev/shm/fuseboard-1000/) and the number of the boot in its name may be others,
  and so may the width of a column.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Settings, Store

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(match[1], id=f"{page.relative_to(ROOT)}:{page.read_text()[: match.start()].count(chr(10)) + 1}")
    for page in PAGES
    for match in FENCED.finditer(page.read_text())
]


CONSOLES = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
SAVED = re.compile(r"[Ss]ave (?:this|it) as `([^`]+)`[^`]*```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MAY_DIFFER = [
    (r"/dev/shm/fuseboard\\-1000/", r"\S+/"),  # noqa: S108 - what the docs show
    (r"\\\.[0-9a-f]{16}\b", r"\.[0-9a-f]{16}"),
    ("3133[0-9]", "[0-9]+"),
    (r"[0-9.]+\\ s\b", r"[0-9.]+\ s"),
    (r"[0-9]+\\.[0-9]+", r"[0-9]+\.[0-9]+"),
    (r"(\\ )+", " +"),
]
"""What may differ, in text that was escaped for a pattern, and the pattern for it."""


def _environment(folder: Path) -> dict[str, str]:
    """The environment without ours, a folder for tables, and the interpreter of these tests in front."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FUSEBOARD_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    ours = {"FUSEBOARD_DIR": str(folder / "tables"), "PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "100"}
    return {**environment, **ours}


def run(block: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a block as a program, or with pytest if it holds tests."""
    program = folder / "test_block.py"
    program.write_text(block)
    runner = ["-m", "pytest", "-q", "--rootdir", str(folder)] if "def test_" in block else []
    command = [sys.executable, "-W", "error", *runner, str(program)]
    return subprocess.run(  # noqa: S603 - what we document
        command, env=_environment(folder), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def outputs(text: str) -> list[tuple[str, str]]:
    """The Python blocks of a page behind which their output stands, and that."""
    return re.findall(r"^```python\n((?:(?!^```).)*?)^```\n\n```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def sessions(text: str) -> list[tuple[str, str]]:
    """The commands of a page's console blocks, each with the output that the page shows."""
    found: list[tuple[str, str]] = []
    for block in CONSOLES.findall(text):
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                found.append((line[2:].rstrip(), ""))
            else:
                found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def is_as_shown(shown: str, written: str) -> bool:
    """Whether a command's output is what a page shows, but for what may differ."""
    pattern = re.escape(shown)
    for what, by in MAY_DIFFER:
        pattern = re.sub(what, lambda _, by=by: by, pattern)
    return re.fullmatch(pattern, written) is not None


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


@pytest.mark.parametrize("page", [page for page in PAGES if sessions(page.read_text())], ids=lambda page: page.name)
def test_a_console_in_the_docs_is_what_comes_out(page: Path, tmp_path: Path) -> None:
    """Commands of a page run one after another, with its programs."""
    text = page.read_text()
    for name, program in SAVED.findall(text):
        (tmp_path / name).write_text(program)
    for command, shown in sessions(text):
        done = subprocess.run(  # noqa: S602 - what we document
            command, shell=True, env=_environment(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert is_as_shown(shown, done.stdout), f"$ {command}\n{done.stdout}\nshown:\n{shown}"


SENTENCE_END = re.compile(r"""(?:[a-z0-9`"\])][.!?]\)?|[.!?]\*\*?) (?=[A-Z`"\[*(_])""")
WRITTEN_ELSEWHERE = {
    DOCS / "explanation/speed/results.md",
    DOCS / "explanation/speed/versions.md",
    DOCS / "history/reliability-diary.md",
    ROOT / "CHANGELOG.md",
}


def sentences_that_share_a_line(text: str) -> list[str]:
    """The lines of a page's prose with more than one sentence; tables, headings and blocks are none."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "#", "    "))]
    return [line for line in lines if SENTENCE_END.search(re.sub(r"^ *[0-9]+[.] ", "", line))]


OUTSIDE_THE_SITE = {
    *ROOT.glob("*.md"),
    ROOT / "tests/README.md",
    ROOT / "changelog.d/README.md",
    ROOT / "fuzz/README.md",
}


@pytest.mark.parametrize(
    "page", sorted({*PAGES, *OUTSIDE_THE_SITE} - WRITTEN_ELSEWHERE), ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_line_holds_one_sentence(page: Path) -> None:
    """So that a change of a sentence shows as a change of a line."""
    assert sentences_that_share_a_line(page.read_text()) == []


def test_two_sentences_on_a_line_are_found() -> None:
    """Negative control."""
    both = ["It opens. It closes.", "* **It opens.** It closes.", "`x`. It closes.", "(It opens.) It closes."]
    assert both == sentences_that_share_a_line("\n".join(both))
    one = (
        "It opens,\n| It opens. It closes. |\n```python\nx = 1  # It opens. It closes.\n```\nIt takes 0.5 s.\n1. One.\n"
    )
    assert sentences_that_share_a_line(one) == []


PLACEHOLDER = re.compile(r"@@\w*@@|\{\{\w+\}\}|\b(?:TODO|FIXME|XXX)\b")


@pytest.mark.parametrize(
    "page", sorted({*PAGES, *OUTSIDE_THE_SITE} - WRITTEN_ELSEWHERE), ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_page_holds_no_placeholder(page: Path) -> None:
    """What stood for a block while a script rewrote the page, or for a text that was to come."""
    assert PLACEHOLDER.findall(page.read_text()) == []


def test_placeholders_are_found() -> None:
    """Negative control."""
    assert ["@@1@@", "{{name}}", "TODO"] == PLACEHOLDER.findall("@@1@@\n{{name}} @decorated a@b.example TODO\n")


OTHER_BREAKERS = {DOCS / "how-to/migrate.md", DOCS / "reference/glossary.md"}


@pytest.mark.parametrize("page", sorted({*PAGES} - WRITTEN_ELSEWHERE - OTHER_BREAKERS), ids=lambda page: page.name)
def test_a_fuse_is_not_called_a_circuit(page: Path) -> None:
    """One word for each idea: *circuit* stands in names, and in the pattern's name."""
    assert re.findall(r".*\bcircuit\b(?! breaker).*", page.read_text()) == []


def test_the_readme_begins_with_how_to_install() -> None:
    """It fits in 200 lines, and its first section is what a reader needs first."""
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) < 200
    assert next(line for line in lines if line.startswith("## ")) == "## Install"


def test_every_output_in_the_docs_is_checked() -> None:
    """A block without a language is output, so it stands behind the block that prints it."""
    for page in PAGES:
        text = page.read_text()
        blocks = re.findall(r"^```(\w*)\n.*?^```", text, re.MULTILINE | re.DOTALL)
        assert len(outputs(text)) == blocks.count(""), f"{page}: say of other blocks that they are `text` or `console`"


def test_consoles_are_found_and_compared() -> None:
    """Negative control: what a page says may differ may, and nothing else."""
    assert sessions((ROOT / "docs/tutorial/first-breaker.md").read_text())
    assert [("a b", "c\nd\n"), ("e", "")] == sessions("```console\n$ a b\nc\nd\n$ e\n```\n")
    assert is_as_shown("31337 waits 2 s, 0.31 of  5\n", "77 waits 1.5 s, 12.9 of 5\n")
    for other in ("77 waits 2 s, 0.31 of  6\n", "77 waits 2 s, 0.31 of  5\nmore\n", "x waits 2 s, 0.31 of  5\n"):
        assert not is_as_shown("31337 waits 2 s, 0.31 of  5\n", other)


def test_sizes_in_the_docs_are_what_they_are() -> None:
    """The default table's, which decides where it fits."""
    page = (ROOT / "docs/reference/store-format.md").read_text()
    assert f"The default table has {Store.private().size_bytes:,} bytes" in page


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
    """A relative link names a file of the repository. In the docs it names one of the docs: the site has no others."""
    link = re.compile(r"\]\((?!https?:|#)([^)#]+)")
    pages = [*sorted({*PAGES, *ROOT.glob("*.md")}), ROOT / "tests/README.md"]
    targets = [(page, (page.parent / target).resolve()) for page in pages for target in link.findall(page.read_text())]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page, target in targets
        if not target.exists() or (DOCS in page.parents and DOCS not in target.parents)
    ]
    assert len(targets) >= 50
    assert broken == []
