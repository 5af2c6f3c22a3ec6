"""Regenerate the pages of the papers: `python -m scripts.studies.papers`, or with names of papers.

Reads scripts/studies/papers/NAME.yaml (published rows, states, commands) and the results that it names; writes the
marked blocks of docs/explanation/papers.md and docs/explanation/papers/NAME.md.
"""

import argparse

from scripts.studies.papers.contents import PAPERS
from scripts.studies.papers.page import update


def main() -> None:
    """Regenerate them."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(PAPERS)}; all if none is given")
    options = parser.parse_args()
    for name in options.names:
        if name not in PAPERS:
            parser.error(f"{name!r} is none of {', '.join(PAPERS)}")
    update(*options.names)


if __name__ == "__main__":
    main()
