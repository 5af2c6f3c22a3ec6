"""LiteRT.js is found where npm puts it, and only the tested release is served."""

from pathlib import Path

import pytest

from distill.errors import ConfigError
from distill.web.litertjs import installed_litertjs


def test_it_is_found_in_the_folder_given_the_current_one_and_the_cache(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed_litertjs(stand_in)["core/dist/index.js"].read_text() == "core/dist/index.js"
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(stand_in)
    assert len(installed_litertjs()) == 6
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache").mkdir()
    stand_in.rename(tmp_path / "cache" / "web")
    assert len(installed_litertjs()) == 6


def test_where_it_is_missing_the_error_is_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConfigError, match=r"not installed; run once: npm install --prefix \S+web @litertjs/core@\d"):
        installed_litertjs()
    with pytest.raises(ConfigError, match=f"not installed in {tmp_path}"):
        installed_litertjs(tmp_path)


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_another_release_is_refused(stand_in: Path, damage: str) -> None:
    path = stand_in / "node_modules" / "@litertjs" / "core" / "wasm" / "litert_wasm_internal.wasm"
    path.unlink() if damage == "missing" else path.write_text("another release")
    with pytest.raises(
        ConfigError, match=r"litert_wasm_internal\.wasm: not the file of @litertjs/core 0\.0\.1; run: npm"
    ):
        installed_litertjs(stand_in)
