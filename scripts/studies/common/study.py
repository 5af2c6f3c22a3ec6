"""The command of a study that reads a folder of data: measure, write the result and its table."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from distill.provenance import write_result
from scripts.studies.common.marked_blocks import update_block

Study = dict[str, Any]


def store(result: Study, path: Path | None, out: str, table: Callable[[Mapping[str, Any]], str]) -> None:
    """Write a result to the path of a command line, if any; where that is `out`, its table in the documentation too."""
    if path is not None:
        write_result(path, result)
    if path == Path(out):
        update_block(out, table(result))


def run_study(
    text: str | None, out: str, studied: Callable[[Path], Study], table: Callable[[Mapping[str, Any]], str]
) -> Study:
    """Read the folder DATA from the command line, measure, write `out` and its table in the documentation.

    Args:
        text: docstring of the script; its first line is the description.
        out: path of the result.
        studied: the folder -> the result.
        table: the result -> Markdown.
    """
    parser = argparse.ArgumentParser(description=str(text).splitlines()[0])
    parser.add_argument("data", type=Path)
    study = studied(parser.parse_args().data)
    store(study, Path(out), out, table)
    print(table(study))
    return study
