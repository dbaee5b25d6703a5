"""The docs site: it builds without a warning, it is whole, and it needs nothing from elsewhere."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import fuseboard
from fuseboard import errors
from fuseboard.cli import _parser

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FETCHING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
"""Elements that make a browser fetch something, and the attribute that says what."""
NEEDS_MORE = re.compile(r'class="[^"]*\b(?:mermaid|arithmatex|glightbox|pyodide)\b')
"""What the theme's script would fetch more for."""
LINKED = re.compile(r"<(a|code|pre|h[1-6]|title|script|label)\b.*?</\1>", re.DOTALL)
"""Where the code of a rule is a link, or is to be none."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "python").symlink_to(ROOT / "python")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    command = [str(Path(sys.executable).parent / "zensical"), "build", "--strict", "--clean"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools"), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "target/site"


class Fetched(HTMLParser):
    """What a browser fetches for a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each element."""
        address = dict(attrs).get(FETCHING.get(tag, ""))
        if address is not None:
            self.found.append(address)


def fetched_from_elsewhere(text: str) -> list[str]:
    """The addresses outside of the site that a page, or a style sheet, makes a browser fetch."""
    found = [*Fetched(text).found, *re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""", text)]
    return [address for address in found if re.match(r"(?:[a-z]+:)?//", address)]


def test_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    """Whoever has no network reads all of it: no font, no script and no image comes from another server."""
    pages = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert {"index.html", "api.html", "glossary.html"} <= {path.name for path in pages}
    assert [] == [(path.name, address) for path in pages for address in fetched_from_elsewhere(path.read_text())]
    assert [] == [path.name for path in pages if path.suffix == ".html" and NEEDS_MORE.search(path.read_text())]


def test_what_comes_from_elsewhere_is_found() -> None:
    """Negative control."""
    for text in (
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        "a { background: url('https://example.com/x.png') }",
        '@import "https://example.com/x.css";',
    ):
        assert len(fetched_from_elsewhere(text)) == 1
    assert [] == fetched_from_elsewhere(
        '<a href="https://example.com"></a><img src="data:image/png;base64,"><img src="x.svg">'
    )


def test_the_search_knows_every_page(site: Path) -> None:
    """Its index is a file of the site."""
    index = (site / "search.json").read_text()
    assert [] == [page for page in _pages() if page.replace(".md", ".html") not in index]


def test_every_page_is_in_the_navigation() -> None:
    """None is only found by the search."""
    listed = re.findall(r"^ +- (?:[A-Z]\w+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(_pages()) == sorted(listed)


def bare_codes(page: str) -> list[str]:
    """The codes of rules in a page's text that lead nowhere."""
    return re.findall(r"\b[RT]\d\d\b", LINKED.sub("", page))


def test_a_bare_code_is_found() -> None:
    """Negative control."""
    page = '<h3 id="r05">R05</h3><p>As <a href="#r06">R06</a> says, <code>R07</code>, and R08 (T09).</p>'
    assert bare_codes(page) == ["R08", "T09"]


def test_the_code_of_a_rule_leads_to_the_rule(site: Path) -> None:
    """Wherever a page's text names R05, it is a link; the build has seen that the link leads somewhere."""
    bare = [(page.name, code) for page in site.rglob("*.html") for code in bare_codes(page.read_text())]
    assert bare == []
    assert 'state-machine.html#r10">R10</a>' in (site / "how-to/retries-and-timeouts.html").read_text()
    assert 'table-rules.html#t10">T10</a>' in (site / "explanation/reliability.html").read_text()


@pytest.mark.parametrize(("page", "letter", "rules"), [("state-machine", "R", 28), ("table-rules", "T", 14)])
def test_each_rule_has_a_heading(page: str, letter: str, rules: int) -> None:
    """In order, and each once: its link is `#r05`."""
    found = re.findall(rf"^### ({letter}\d\d)$", (DOCS / f"reference/{page}.md").read_text(), re.MULTILINE)
    assert [f"{letter}{number:02}" for number in range(1, rules + 1)] == found


def test_each_public_name_has_its_place() -> None:
    """On the API page or on the page of the errors, once."""
    pages = [(DOCS / f"reference/{page}.md").read_text() for page in ("api", "errors")]
    found = [name for page in pages for name in re.findall(r"^::: fuseboard\.(\w+)$", page, re.MULTILINE)]
    assert sorted([*fuseboard.__all__, "testing"]) == sorted(found)


def test_roles_of_docstrings_are_links(site: Path) -> None:
    """No page shows the markup."""
    page = (site / "reference/api.html").read_text()
    assert 'errors.html#fuseboard.CircuitOpenError"' in page
    assert not re.search(r":(?:class|meth|func|attr|exc):", page)


def test_the_tree_of_errors_is_what_the_classes_are() -> None:
    """Each hangs below its base, on the page and in the module's docstring."""
    page = (DOCS / "reference/errors.md").read_text()
    bases = {name: getattr(errors, name).__base__.__name__ for name in errors.__all__}
    assert bases == drawn_bases(page)
    assert bases == drawn_bases(inspect.getdoc(errors) or "")


def drawn_bases(text: str) -> dict[str, str]:
    """The classes of a drawn tree, each with the one that it hangs below."""
    found = re.findall(r"^([ │]*[├└]── )(\w+)", text, re.MULTILINE)
    levels: dict[int, str] = {len(found[0][0]) - 4: "Exception"}
    bases = {}
    for branch, name in found:
        levels[len(branch)] = name
        bases[name] = levels[len(branch) - 4]
    return bases


def test_each_command_shows_its_help() -> None:
    """The page has a block of each; `test_docs.py` sees that it is what the command writes."""
    page = (DOCS / "reference/cli.md").read_text()
    [commands] = [action.choices for action in _parser("fuseboard")._actions if isinstance(action.choices, dict)]
    assert {"show", "journal", "demo"} <= set(commands)
    for command in commands:
        assert f"\n## fuseboard {command}\n" in page
        assert f"\n```console\n$ fuseboard {command} --help\n" in page


def _pages() -> list[str]:
    return [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
