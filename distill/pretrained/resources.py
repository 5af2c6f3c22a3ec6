"""Files installed with the package: recipes, contest rules and released models.

In a source checkout they lie beside the package, in `configs/` and `checkpoints/`; in an installed wheel in
`distill/bundled/`, so that no command depends on the current folder.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_BUNDLED = _PACKAGE / "bundled"
_ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parent

CONFIGS = _ROOT / "configs"
CHECKPOINTS = _ROOT / "checkpoints"
CONTESTS = CONFIGS / "contest"
