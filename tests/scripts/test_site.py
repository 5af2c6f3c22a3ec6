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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files of the site and its configuration in a folder of their own."""
    site.copy_pages(ROOT, tmp_path)
    (tmp_path / site.CONFIG).write_text((ROOT / site.CONFIG).read_text())
    return tmp_path


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
    def test_pages_load_nothing_from_other_servers(self, copy: Path) -> None:
        index = site.build(copy)
        loaded = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*\s(?:src|href)=["']?(https?:)?//""")
        html = {path: path.read_text() for path in index.parent.rglob("*.html")}
        assert len(html) > len(KINDS)
        assert [path for path, text in html.items() if loaded.search(text)] == []
        assert "landmark" in (index.parent / "search" / "search_index.js").read_text()

    def test_tables_and_lists_are_not_shown_as_text(self, copy: Path) -> None:
        # GitHub needs no empty line above them, Python-Markdown does.
        shown = re.compile(r"<p>[^<]*\n\s*(?:[*|-] |\d+\. )|<p>\s*\||<li>[^<]*\n[*-] ")
        index = site.build(copy)
        assert [path for path in index.parent.rglob("*.html") if shown.search(path.read_text())] == []

    @pytest.mark.parametrize("text", ["[gone](gone.md)", "[no such part](README.md#gone)"])
    def test_a_broken_link_fails(self, copy: Path, text: str, capfd: pytest.CaptureFixture[str]) -> None:
        (copy / "SECURITY.md").write_text(f"# Security\n\n{text}\n")
        with pytest.raises(SystemExit, match="not built"):
            site.build(copy)
        assert "gone" in capfd.readouterr().err

    def test_a_page_outside_the_navigation_fails(self, copy: Path) -> None:
        (copy / "docs" / "how-to" / "new.md").write_text("# New\n")
        with pytest.raises(SystemExit, match="not built"):
            site.build(copy)
