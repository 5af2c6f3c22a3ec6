"""LiteRT.js as npm installs it: a stand-in of the same layout for what does not run it."""

from pathlib import Path

import pytest

from distill.files import sha256
from distill.web import litertjs


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with files in place of LiteRT.js, of which the tested release is one."""
    folder = tmp_path / "npm"
    names = litertjs.tested_release().files
    for name in names:
        path = folder / "node_modules" / "@litertjs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    hashes = {name: sha256(folder / "node_modules" / "@litertjs" / name) for name in names}
    release = litertjs.Release("@litertjs/core", "0.0.1", hashes)
    monkeypatch.setattr(litertjs, "tested_release", lambda: release)
    return folder
