"""Marked blocks of documents: the text between `<!-- RESULT:begin -->` and `<!-- RESULT:end -->`.

RESULT is the path of the JSON file that the text is generated from, such as results/studies/zoo.json, perhaps with the
name of one of several texts, as in results/studies/released.json#choice.
"""

import re
from pathlib import Path

from distill.files import write_text

ROOT = Path(__file__).resolve().parents[3]
_BLOCK = re.compile(r"<!-- (\S+):begin -->\n(.*?)\n?<!-- \1:end -->", re.DOTALL)


def documents(root: Path = ROOT) -> list[Path]:
    """Return the documents that may hold marked blocks."""
    return sorted([*root.glob("*.md"), *(root / "checkpoints").glob("*.md"), *(root / "docs").rglob("*.md")])


def marked_blocks(document: Path) -> dict[str, str]:
    """Return the marked blocks of a document by the name of their result."""
    return {match[1]: match[2] for match in _BLOCK.finditer(document.read_text())}


def replace_between(document: Path, name: str, text: str) -> None:
    """Replace a marked block of a document.

    Raises:
        SystemExit: a mark is missing.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    content = document.read_text()
    if begin not in content or end not in content:
        raise SystemExit(f"{document}: no {begin} ... {end}; put both where the table should stand")
    head, tail = content.partition(begin)[0], content.partition(end)[2]
    write_text(document, f"{head}{begin}\n{text}\n{end}{tail}")


def update_block(name: str, text: str, root: Path = ROOT) -> None:
    """Replace a marked block in every document that has it.

    Raises:
        SystemExit: no document has it.
    """
    holders = [path for path in documents(root) if f"<!-- {name}:begin -->" in path.read_text()]
    if not holders:
        raise SystemExit(
            f"no document has <!-- {name}:begin -->; put it and <!-- {name}:end --> where the table belongs"
        )
    for path in holders:
        replace_between(path, name, text)
