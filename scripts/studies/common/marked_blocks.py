"""Tables in documents: what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->` is written by a script."""

from pathlib import Path

from distill.files import write_text


def replace_between(document: Path, name: str, text: str) -> None:
    """Put a text between the two marks of a document.

    Raises:
        SystemExit: a mark is missing.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    content = document.read_text()
    if begin not in content or end not in content:
        raise SystemExit(f"{document}: no {begin} ... {end}; put both where the table should stand")
    head, tail = content.partition(begin)[0], content.partition(end)[2]
    write_text(document, f"{head}{begin}\n{text}\n{end}{tail}")
