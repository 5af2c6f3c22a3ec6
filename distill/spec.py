"""Model specification stored with the weights: landmark scheme and crop.

Every exported file `NAME.onnx` or `NAME.tflite` has `NAME.json` beside it, which holds the spec and the file's
SHA-256, so that a model is never run with another model's crop.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from distill.errors import CheckpointError, ConfigError
from distill.files import require_listed_hash, sha256, write_json
from distill.geometry import CropSpec
from distill.landmarks import load_scheme, register_scheme

_FORMAT = "distill-model/1"
# Bounds of what a file may state about its model, far above any network here: a spec is read before its weights, and
# its content is not trusted.
_MAX_SIDECAR_BYTES = 1 << 20
_MAX_DEPTH = 16
_MAX_VALUES = 50_000
_MAX_NUMBER = 1 << 16
_MAX_CROP = 4096
# Largest annotation shift, in sides of the crop: a tenth is a quarter of the distance of the eyes.
MAX_SHIFT = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class ModelSpec:
    """The contract of a trained model.

    Attributes:
        arch: name in the zoo.
        scheme: landmark scheme of the output.
        n_points: number of points k of the output (b, k, 2), normalised to the crop.
        crop: how a face box becomes the input.
        options: keyword arguments the architecture was built with.
        detected: how a box of `FaceDetector` becomes the input; None: as an annotated box does.
        definitions: content of users' own schemes by their declared name, as `landmarks.register_scheme` takes it.
        trained_on: fingerprints of the training photos, as `data.trained_photos` makes them; empty where unknown.
        annotation_shift: how far the annotations lie to the right of what a network learns from mirrored crops, in
            sides of the crop; it is part of the output. See `models.annotation_shift`.
    """

    arch: str
    scheme: str
    n_points: int
    crop: CropSpec
    options: dict[str, Any] = field(default_factory=dict)
    detected: CropSpec | None = None
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    trained_on: str = ""
    annotation_shift: float = 0.0

    @property
    def detected_crop(self) -> CropSpec:
        """How a box of `FaceDetector` becomes the input."""
        return self.detected or self.crop

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "ModelSpec":
        """Return a stored spec, and make the users' own schemes in it known.

        Raises:
            ConfigError: a value of another type or beyond any network, or points that are not those of the scheme.
        """
        require_plain(raw)
        for name, content in raw.get("definitions", {}).items():
            register_scheme(content, f"scheme {name} of the model")
        detected = raw.get("detected")
        crops = {"crop": CropSpec(**raw["crop"]), "detected": CropSpec(**detected) if detected else None}
        spec = cls(**{**raw, **crops})
        spec._check()
        return spec

    def _check(self) -> None:
        texts = self.arch, self.scheme, self.trained_on
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.options, dict):
            raise ConfigError("arch, scheme and trained_on are texts, options a mapping")
        for crop in filter(None, (self.crop, self.detected)):
            if not isinstance(crop.size, int) or crop.size > _MAX_CROP:
                raise ConfigError(f"a crop of {crop.size} px; at most {_MAX_CROP}")
        if not isinstance(self.annotation_shift, int | float) or abs(self.annotation_shift) > MAX_SHIFT:
            raise ConfigError(f"annotation_shift is {self.annotation_shift}; at most {MAX_SHIFT} sides of the crop")
        points = load_scheme(self.scheme).n_points
        if self.n_points != points:
            raise ConfigError(f"n_points is {self.n_points}, scheme {self.scheme} has {points}")


def require_plain(raw: Any) -> None:
    """Check that a description read from a file is plain data of a bounded size, before anything is made of it.

    Raises:
        ConfigError: no mapping, deep nesting, very many values, or a number beyond any option of a network.
    """
    if not isinstance(raw, dict):
        raise ConfigError(f"a {type(raw).__name__} instead of a mapping")
    open_values: list[tuple[Any, int]] = [(raw, 0)]
    count = 0
    while open_values:
        value, depth = open_values.pop()
        count += 1
        if count > _MAX_VALUES or depth > _MAX_DEPTH:
            raise ConfigError(f"more than {_MAX_VALUES} values or {_MAX_DEPTH} levels")
        if isinstance(value, dict):
            if not all(isinstance(key, str | int) for key in value):
                raise ConfigError("a key that is no text")
            open_values += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list | tuple):
            open_values += [(item, depth + 1) for item in value]
        elif isinstance(value, int | float):
            if not abs(value) <= _MAX_NUMBER:  # false for NaN as well
                raise ConfigError(f"the number {str(value)[:20]}; at most {_MAX_NUMBER}")
        elif not isinstance(value, str | None):
            raise ConfigError(f"a value of type {type(value).__name__}")


def sidecar_path(model: str | Path) -> Path:
    """Return where the spec of an exported model lies."""
    return Path(model).with_suffix(".json")


def write_sidecar(model: str | Path, spec: ModelSpec, batch: int = 1) -> None:
    """Write `NAME.json` beside an exported model; it states the fixed batch of a file that takes several crops."""
    stated = {} if batch == 1 else {"batch": batch}
    write_json(sidecar_path(model), {"format": _FORMAT, "sha256": sha256(model), **stated, "spec": spec.to_dict()})


def read_sidecar(model: str | Path) -> ModelSpec:
    """Read and verify `NAME.json` beside an exported model.

    Raises:
        CheckpointError: the model or its sidecar is missing, unreadable, or the two do not belong together.
    """
    if not Path(model).is_file():
        raise CheckpointError(f"{model}: no such model file; make one with `distill export`")
    return read_description(model, (_FORMAT,), lambda raw: ModelSpec.from_dict(raw["spec"]), "a model description")


def read_description(model: str | Path, formats: Collection[str], parse: Callable[[dict[str, Any]], T], kind: str) -> T:
    """Read `NAME.json` beside a model file and verify that the two belong together.

    Args:
        model: the file, which must exist.
        formats: of which the description must have one.
        parse: its content -> what is returned.
        kind: what the description is, for errors.

    Raises:
        CheckpointError: the description is missing or unreadable, or the file is not the one that it names.
    """
    model, path = Path(model), sidecar_path(model)
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; copy it together with {model.name}, or export again")
    try:
        if path.stat().st_size > _MAX_SIDECAR_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes, at most {_MAX_SIDECAR_BYTES}")
        raw = json.loads(path.read_text())
        if raw["format"].partition("-")[2].startswith("detector") and not any("detector" in f for f in formats):
            raise CheckpointError(f"{model}: a face detector; give it as --detector, and here a landmark model")
        if raw["format"] == _FORMAT and _FORMAT not in formats:
            raise CheckpointError(f"{model}: a landmark model; give it as --model, and here a face detector")
        if raw["format"] not in formats:
            raise ValueError(f"its format is {raw['format']}, not {' or '.join(formats)}")
        expected, parsed = raw["sha256"], parse(raw)
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError, ConfigError) as error:
        reason = str(error) if isinstance(error, ConfigError) else repr(error)
        raise CheckpointError(f"{path}: not {kind} ({reason[:200]}); export the model again") from error
    if sha256(model) != expected:
        raise CheckpointError(f"{model}: SHA-256 differs from the one in {path.name}; the file was changed or replaced")
    require_listed_hash(model)
    return parsed
