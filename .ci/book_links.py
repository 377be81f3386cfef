"""Checks a built book: every link and picture leads somewhere, every anchor exists, links into the repository name what is
in the checkout, every page is in SUMMARY.md, and every page with Rust in it is compiled by `examples/src/lib.rs`, or, in
`guides/`, held to a file of `examples/tests/guides/`.

Usage: book_links.py BUILT_BOOK, in the root of the checkout. Asks nobody: addresses of others are left alone.
"""

import pathlib
import re
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

REPOSITORY = "https://github.com/stationthis/stationthis/"
ROOT = pathlib.Path.cwd()
DOCS = ROOT / "docs"
# Written by mdBook for its own use; nothing of ours is in them.
NO_PAGES = {"404.html", "toc.html", "print.html"}


class Page(HTMLParser):
    """The ids and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.update(filter(None, (attrs.get("id"), attrs.get("name") if tag == "a" else None)))
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name)]


def main(book):
    pages = {path: Page(path.read_text()) for path in book.rglob("*.html") if path.name not in NO_PAGES}
    wrong, checked = [], 0

    def check(place, link, base, known=pages):
        nonlocal checked
        checked += 1
        if link.startswith(REPOSITORY):
            kind, _, path = link.removeprefix(REPOSITORY).partition("/main/")
            # Only what is in the tree can be checked; the button to edit a page is mdBook's.
            if kind in ("blob", "tree") and not (ROOT / unquote(urlsplit(path).path)).exists():
                wrong.append(f"{place}: {link}: no such file here")
            return
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            return
        target = (base.parent / unquote(parts.path)).resolve() if parts.path else base
        if target.is_dir() and (target / "index.html").exists():
            target /= "index.html"
        if not target.exists():
            wrong.append(f"{place}: {link}: no such file")
        elif parts.fragment and target in known and unquote(parts.fragment) not in known[target].ids:
            wrong.append(f"{place}: {link}: no such anchor")

    for path, page in pages.items():
        for link in page.links:
            check(path.relative_to(book), link, path)

    # Documents outside of the book, as a checkout shows them; an anchor in one of the book's pages is looked up there.
    built = {DOCS / path.relative_to(book).with_suffix(".md"): page for path, page in pages.items()}
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("examples/*/README.md")]:
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if path.parent != DOCS and not link.startswith("#"):
                check(path.relative_to(ROOT), link, path, built)

    summary = (DOCS / "SUMMARY.md").read_text()
    compiled = (ROOT / "examples/src/lib.rs").read_text()
    guides = (ROOT / "examples/tests/guides.rs").read_text()
    for path in sorted(DOCS.rglob("*.md")):
        name = path.relative_to(DOCS)
        if f"({name})" not in summary and name.name != "SUMMARY.md":
            wrong.append(f"docs/{name}: not in SUMMARY.md")
        held = f"mod {name.stem};" in guides if name.parts[0] == "guides" else f"../docs/{name}\"" in compiled
        if re.search(r"^```rust", path.read_text(), re.MULTILINE) and not held:
            wrong.append(f"docs/{name}: its code is not compiled by any test")

    print("\n".join(wrong) or f"{len(pages)} pages, {checked} links: all lead somewhere")
    return bool(wrong) or not checked


sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
