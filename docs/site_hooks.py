"""What `make docs` adds to this folder: pages that live elsewhere in the repository, each under its path there.

A link between pages is written as it works in the repository (`../data/README.md`); here it is turned into the site's.
mkdocs then holds every link to a page of the site, so a link to a file that is no page fails the build.
"""

import os.path
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
FROM_ELSEWHERE = (
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "r_reference/README.md",
    "data/README.md",
    "parity_tests/recordings/README.md",
    "parity_tests/modules/README.md",
)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|[#/])[^)\s#]+")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere."""
    for path in FROM_ELSEWHERE:
        files.append(File.generated(config, path, abs_src_path=os.path.join(ROOT, path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the repository's links into the site's."""
    here = page.file.src_uri
    in_repository = here if here in FROM_ELSEWHERE else f"docs/{here}"

    def in_site(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository), link[0]))
        return posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(here) or ".")

    return _LINK.sub(in_site, markdown)
