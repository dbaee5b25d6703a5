"""Links that the docs' pages need not write: a Markdown extension for `make docs`.

* The code of a rule, such as R05 or T03, leads to the rule: to the heading of that name.
* A role of a docstring, such as ``:class:`Store```, leads to what the API page says about it. A name that has no place
  there stays code.

Both become ``<autoref>`` elements. The site's builder resolves them, and warns if one leads nowhere.
What is inside a link, code or a heading stays as it is.
"""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

import fuseboard

RULE = re.compile(r"\b[RT][0-9]{2}\b")
ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):$")
LEFT_ALONE = {"a", "autoref", "code", "pre", "h1", "h2", "h3", "h4", "h5", "h6"}


def autoref(identifier: str, content: str | Element) -> Element:
    """An element that the builder makes a link of."""
    element = Element("autoref", {"identifier": identifier})
    if isinstance(content, str):
        element.text = content
    else:
        element.append(content)
    return element


def documented(name: str) -> str | None:
    """What the API page calls the object of this name, as a docstring gives it."""
    name = name.removesuffix("()").removeprefix("fuseboard.")
    return f"fuseboard.{name}" if name.split(".")[0] in fuseboard.__all__ else None


def rules_in(text: str | None) -> tuple[str, list[Element]]:
    """The text before the first code of a rule, and a link for each code with the text behind it."""
    text = text or ""
    found = list(RULE.finditer(text))
    if not found:
        return text, []
    links = []
    for code, following in zip(found, [*found[1:], None], strict=True):
        link = autoref(code[0].lower(), code[0])
        link.tail = text[code.end() : following.start() if following else len(text)]
        links.append(link)
    return text[: found[0].start()], links


def with_links(children: list[Element]) -> Iterator[Element]:
    """The same children, with links for the codes behind each."""
    for child in children:
        child.tail, links = rules_in(child.tail)
        yield child
        yield from links


def without_role(parent: Element, index: int) -> bool:
    """Takes the role off the text in front of a child, and says whether there was one."""
    before = parent[index - 1] if index else None
    text = (parent.text if before is None else before.tail) or ""
    role = ROLE.search(text)
    if role is None:
        return False
    if before is None:
        parent.text = text[: role.start()]
    else:
        before.tail = text[: role.start()]
    return True


def link_roles(parent: Element) -> None:
    """Makes links of the code behind roles."""
    for index, child in enumerate(list(parent)):
        if child.tag != "code" or not without_role(parent, index):
            continue
        identifier = documented("".join(child.itertext()))
        if identifier is not None:
            link = autoref(identifier, child)
            link.tail, child.tail = child.tail, None
            parent[index] = link


def link(element: Element) -> None:
    """Makes the links of an element and of all that it holds."""
    if element.tag in LEFT_ALONE:
        return
    for child in element:
        link(child)
    link_roles(element)
    element.text, first = rules_in(element.text)
    element[:] = [*first, *with_links(list(element))]


class DocLinks(Treeprocessor):
    """Makes the links of a page or of a docstring."""

    def run(self, root: Element) -> None:
        """Called by Markdown, behind its inline patterns."""
        link(root)


class DocLinksExtension(Extension):
    """What `mkdocs.yml` names."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        """Called by Markdown."""
        md.treeprocessors.register(DocLinks(md), "doc_links", 5)


def makeExtension(**settings: Any) -> DocLinksExtension:  # noqa: N802 - Markdown's name
    """Called by Markdown."""
    return DocLinksExtension(**settings)
