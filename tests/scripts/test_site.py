"""The site has every page in its navigation, builds without a warning and loads nothing from other servers."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.generate import site

ROOT = Path(__file__).parents[2]
KINDS = {"Tutorials": "tutorials", "How-to guides": "how-to", "Reference": "reference", "Explanation": "explanation"}
MKDOCS = all(importlib.util.find_spec(name) for name in ("mkdocs", "material"))


def pages(entry: Any) -> list[str]:
    """Return the pages of a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    values = entry if isinstance(entry, list) else entry.values()
    return [page for value in values for page in pages(value)]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / site.CONFIG).read_text())


def copied(folder: Path) -> Path:
    """Copy the files of the site and its configuration to a folder."""
    site.copy_pages(ROOT, folder)
    (folder / site.CONFIG).write_text((ROOT / site.CONFIG).read_text())
    return folder


def test_every_page_is_in_the_navigation_once(config: dict[str, Any]) -> None:
    written = sorted(str(path) for path in site.site_files() if path.suffix == ".md")
    assert sorted(pages(config["nav"])) == written


@pytest.mark.parametrize("title", KINDS)
def test_the_navigation_follows_the_four_kinds_of_documents(config: dict[str, Any], title: str) -> None:
    group = next(entry[title] for entry in config["nav"] if title in entry)
    folders = {page.split("/")[1] for page in pages(group) if page.startswith("docs/")}
    assert folders == {KINDS[title]}


def test_fonts_and_scripts_are_local(config: dict[str, Any]) -> None:
    assert config["theme"]["font"] is False, "the theme's fonts come from another server"
    for file in [*config["extra"]["polyfills"], *config["extra_css"], config["theme"]["favicon"]]:
        assert (ROOT / file).is_file()
    # Where no polyfill has this name the plugin `offline` adds a script of another server.
    assert any("iframe-worker" in file for file in config["extra"]["polyfills"])


@pytest.mark.skipif(not MKDOCS, reason="mkdocs-material is not installed")
class TestBuild:
    @pytest.fixture(scope="class")
    def index(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return site.build(copied(tmp_path_factory.mktemp("site")))

    def test_pages_load_nothing_from_other_servers(self, index: Path) -> None:
        loaded = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*\s(?:src|href)=["']?(https?:)?//""")
        html = {path: path.read_text() for path in index.parent.rglob("*.html")}
        assert len(html) > len(KINDS)
        assert [path for path, text in html.items() if loaded.search(text)] == []
        assert "landmark" in (index.parent / "search" / "search_index.js").read_text()

    def test_tables_and_lists_are_not_shown_as_text(self, index: Path) -> None:
        # GitHub needs no empty line above them, Python-Markdown does.
        shown = re.compile(r"<p>[^<]*\n\s*(?:[*|-] |\d+\. )|<p>\s*\||<li>[^<]*\n[*-] ")
        assert [path for path in index.parent.rglob("*.html") if shown.search(path.read_text())] == []

    def test_broken_links_fail(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        folder = copied(tmp_path)
        (folder / "SECURITY.md").write_text("# Security\n\n[gone](gone.md) [no such part](README.md#gone)\n")
        with pytest.raises(SystemExit, match="not built"):
            site.build(folder)
        told = capfd.readouterr().err
        assert "'gone.md'" in told
        assert "#gone" in told

    def test_a_page_outside_the_navigation_fails(self, tmp_path: Path) -> None:
        folder = copied(tmp_path)
        (folder / "docs" / "how-to" / "new.md").write_text("# New\n")
        with pytest.raises(SystemExit, match="not built"):
            site.build(folder)
