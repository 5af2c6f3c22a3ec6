"""Files of LiteRT.js, the TFLite runtime of the page: where npm put them, compared with the published SHA-256.

They are 19 MB of WebAssembly and therefore not part of the package; nothing here downloads them.
"""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from distill.errors import ConfigError
from distill.files import sha256
from distill.pretrained.hub import cache_folder

_SCOPE = Path("node_modules") / "@litertjs"


class Release(NamedTuple):
    """The release of LiteRT.js that the page was tested with.

    Attributes:
        package: npm name.
        version: release number.
        files: SHA-256 by path below `node_modules/@litertjs`.
    """

    package: str
    version: str
    files: dict[str, str]

    def npm_command(self, folder: Path) -> str:
        """Return the command that installs it below a folder."""
        return f"npm install --prefix {folder} {self.package}@{self.version}"


@cache
def tested_release() -> Release:
    """Return the release that `litertjs.json` names."""
    raw = json.loads(resources.files("distill.web").joinpath("litertjs.json").read_text())
    return Release(raw["package"], raw["version"], raw["files"])


def installed_litertjs(folder: Path | None = None) -> dict[str, Path]:
    """Return the files of LiteRT.js by their path below `node_modules/@litertjs`.

    Args:
        folder: where `npm install` was run; by default the current folder, else `web` in `cache_folder()`.

    Raises:
        ConfigError: it is not installed there, or the files are not those of the tested release.
    """
    release, home = tested_release(), cache_folder() / "web"
    folders = [Path(), home] if folder is None else [folder]
    scope = next((base / _SCOPE for base in folders if (base / _SCOPE).is_dir()), None)
    if scope is None:
        where = "" if folder is None else f" in {folder}"
        raise ConfigError(f"LiteRT.js is not installed{where}; run once: {release.npm_command(folder or home)}")
    found = {name: scope / name for name in release.files}
    for name, path in found.items():
        if not path.is_file() or sha256(path) != release.files[name]:
            command = release.npm_command(scope.parents[1])
            raise ConfigError(f"{path}: not the file of {release.package} {release.version}; run: {command}")
    return found
