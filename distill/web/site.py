"""Write the page as a folder of static files: page, LiteRT.js, detector and landmark models, settings."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from distill.detection.detector import bundled_detector
from distill.detection.retinaface.sidecar import read_detector_sidecar
from distill.errors import ConfigError
from distill.files import require_writable, write_bytes, write_json
from distill.inference.confidence import MIN_CONFIDENCE
from distill.inference.load import require_model
from distill.inference.roll import roll_settings
from distill.landmarks import load_scheme
from distill.pretrained.registry import DEFAULT_MODEL, resolve_model
from distill.spec import read_sidecar
from distill.web.litertjs import installed_litertjs

# The default and the smallest model: those that an installed package carries.
DEFAULT_MODELS = (DEFAULT_MODEL, "efld_51_128")
# npm's path -> path in the folder; page/index.html names the first two.
_RENAMED = {"core/dist/index.js": "core.js", "wasm-utils/dist/index.js": "wasm-utils.js"}


def write_site(out: Path, models: Sequence[str | Path] = DEFAULT_MODELS, litertjs: Path | None = None) -> list[str]:
    """Write the page and everything it loads into a folder that any web server can serve; return the models' names.

    Args:
        out: the folder.
        models: names of released models or `.tflite` files with their `.json`; the first is chosen when the page opens.
        litertjs: folder in which `npm install` was run; see `installed_litertjs`.

    Raises:
        CheckpointError: a model is missing, broken or unknown.
        ConfigError: LiteRT.js is not installed, no model or another format is given, or the folder is not writable.
    """
    runtime = installed_litertjs(litertjs)
    files = [_tflite_file(model) for model in models]
    if not files:
        raise ConfigError("no models given: name at least one")
    settings = _settings(files)
    require_writable(out / "index.html")
    for entry in resources.files("distill.web").joinpath("page").iterdir():
        write_bytes(out / entry.name, entry.read_bytes())
    for name, path in runtime.items():
        _copy(path, out / "litertjs" / _RENAMED.get(name, f"wasm/{path.name}"))
    for path in (bundled_detector(), *files):
        _copy(path, out / "models" / path.name)
    write_json(out / "settings.json", settings)
    return [path.stem for path in files]


def _tflite_file(model: str | Path) -> Path:
    path = resolve_model(model)
    if path.suffix and path.suffix != ".tflite":
        raise ConfigError(f"{model}: the page runs TFLite files; give a .tflite file or a released model")
    require_model(path)
    read_sidecar(path)
    return path


def _settings(files: Sequence[Path]) -> dict[str, Any]:
    """Return the settings of the models for the page, from their descriptions."""
    detector = bundled_detector()
    return {
        "min_confidence": MIN_CONFIDENCE,
        "detector": {"file": f"models/{detector.name}", "spec": asdict(read_detector_sidecar(detector))},
        "models": [_model_entry(path) for path in files],
    }


def _model_entry(path: Path) -> dict[str, Any]:
    spec = read_sidecar(path)
    scheme = load_scheme(spec.scheme)
    return {
        "name": path.stem,
        "label": f"{path.stem}: {spec.n_points} points, {path.stat().st_size / 1e6:.2f} MB",
        "file": f"models/{path.name}",
        "crop": asdict(spec.detected_crop),
        "edges": [{"points": list(edge.points), "closed": edge.closed} for edge in scheme.edges],
        "roll": roll_settings(scheme),
    }


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
