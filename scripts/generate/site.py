"""Build the documentation site with mkdocs: `make docs` writes build/docs/site/index.html.

The pages are first copied to build/docs/pages in the layout of the repository, because links from docs/ to the README
and the model cards leave the folder that mkdocs reads. A broken link, an unknown anchor or a page outside the
navigation of docs/mkdocs.yml fails the build. The site loads nothing from other servers and opens from a disk.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path("docs/mkdocs.yml")
BUILD = Path("build/docs")
PATTERNS = ("*.md", "docs/**/*.md", "docs/images/*", "docs/assets/*", "checkpoints/*.md", "results/*/*.json")


def site_files(root: Path = ROOT) -> list[Path]:
    """Return pages, pictures, styles and scripts of the site, relative to the root of the repository."""
    return sorted(path.relative_to(root) for pattern in PATTERNS for path in root.glob(pattern))


def copy_pages(root: Path, folder: Path) -> None:
    """Write the files of the site into an empty folder, in the layout of the repository."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in site_files(root):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, folder / file)


def build(root: Path = ROOT) -> Path:
    """Build the site; return its first page.

    Raises:
        SystemExit: mkdocs is not installed, or reports a warning.
    """
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        raise SystemExit("docs: mkdocs-material is not installed; run `make setup`, or pip install '.[docs]'")
    copy_pages(root, root / BUILD / "pages")
    # The theme announces on stderr what its successor will be.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    # Not --quiet: it hides warnings from --strict.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "-f", str(root / CONFIG)]
    if subprocess.run(command, cwd=root, env=environment, check=False).returncode:
        raise SystemExit("docs: not built; fix what is reported above")
    return root / BUILD / "site" / "index.html"


if __name__ == "__main__":
    print(f"open {build().relative_to(ROOT)}")
