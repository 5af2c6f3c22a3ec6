"""Registry of released landmark models: their cards in `checkpoints/` and the hashes in `SHA256SUMS`.

A card is a Markdown file with a YAML header in the form of the Hugging Face hub; its entry `distill` holds what the
commands need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from distill.errors import CheckpointError, ConfigError, suggest
from distill.files import sha256
from distill.pretrained.hub import download
from distill.pretrained.resources import CHECKPOINTS

DEFAULT_MODEL = "student_68_128"
DEFAULT_DETECTOR = "retinaface"
_SUMS = "SHA256SUMS"
_WEIGHTS = ".safetensors"
_NME = "inter-ocular NME over {} points (%)"
_LANDMARKS = "keypoint-detection"  # the detector's card has another task


@dataclass(frozen=True)
class ReleasedModel:
    """A released model as its card describes it.

    Attributes:
        name: of the model and its card.
        summary: one line.
        network: name in the zoo.
        scheme: landmark scheme of the output.
        points: number of landmarks.
        size: side of the input in pixels.
        parameters: number of weights.
        licence: identifier of the licence of the weights.
        nme_percent: inter-ocular NME on the 554 faces of 300-W common with true boxes, over its own points.
        inner_nme_percent: the same over the 51 points inside the face, which all of them predict.
        files: names of its files, the one for inference first.
    """

    name: str
    summary: str
    network: str
    scheme: str
    points: int
    size: int
    parameters: int
    licence: str
    nme_percent: float
    inner_nme_percent: float
    files: tuple[str, ...]

    @property
    def weights(self) -> str | None:
        """Name of the file with weights for training and evaluation."""
        return next((file for file in self.files if file.endswith(_WEIGHTS)), None)


def read_card(path: Path) -> tuple[dict[str, Any], str]:
    """Return the YAML header and the text of a model card.

    Raises:
        ConfigError: no header between two lines of `---`.
    """
    parts = path.read_text(encoding="utf-8").split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise ConfigError(f"{path}: a model card starts with a YAML header between lines of ---")
    return yaml.safe_load(parts[1]), parts[2]


def model_cards() -> dict[str, dict[str, Any]]:
    """Return the headers of all model cards by the name of the model."""
    cards = [path for path in sorted(CHECKPOINTS.glob("*.md")) if path.name != "README.md"]
    return {path.stem: read_card(path)[0] for path in cards}


def _model(name: str, header: dict[str, Any]) -> ReleasedModel:
    own = header["distill"]
    metrics = header["model-index"][0]["results"][0]["metrics"]
    scores = {metric["name"]: metric["value"] for metric in metrics}
    return ReleasedModel(
        name=name,
        summary=own["summary"],
        network=own["network"],
        scheme=own["scheme"],
        points=own["points"],
        size=own["size"],
        parameters=own["parameters"],
        licence=header["license"],
        nme_percent=scores[_NME.format(own["points"])],
        inner_nme_percent=scores[_NME.format(51)],
        files=tuple(own["files"]),
    )


@cache
def released_models() -> dict[str, ReleasedModel]:
    """Return the released landmark models by name, the default first, then by error over 51 points."""
    found = [_model(name, card) for name, card in model_cards().items() if card["pipeline_tag"] == _LANDMARKS]
    models = sorted(found, key=lambda model: (model.name != DEFAULT_MODEL, model.inner_nme_percent))
    return {model.name: model for model in models}


@cache
def checksums() -> dict[str, str]:
    """Return the SHA-256 of every released file by its name."""
    lines = (CHECKPOINTS / _SUMS).read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def resolve_model(model: str | Path, weights: bool = False) -> Path:
    """Return the path of a model file.

    Args:
        model: a path, the name of a released model such as `student_68_128`, the name of one of its files without the
            suffix such as `student_68_128_fp16`, or `hf:OWNER/REPOSITORY/FILE` (see `distill.pretrained.hub`).
        weights: of a released model, return the weights for training instead of the file for inference.

    Raises:
        CheckpointError: neither text nor a path, or the released file is missing or its SHA-256 is not the published
            one.
        ConfigError: the hub cannot be reached.
    """
    if not isinstance(model, str | Path):
        raise CheckpointError(f"{type(model).__name__} is no model; give a path or the name of a released model")
    text = str(model)
    if text.startswith("hf:"):
        return download(text)
    if Path(model).suffix or len(Path(model).parts) != 1 or Path(model).exists():
        return Path(model)
    file = _file_of(text, weights)
    return Path(model) if file is None else _verified(file)


def _file_of(name: str, weights: bool) -> str | None:
    released = released_models().get(name)
    if released is not None:
        if not weights:
            return released.files[0]
        if released.weights is None:
            raise CheckpointError(f"{name}: this model was released without weights for training")
        return released.weights
    files = [file for model in released_models().values() for file in model.files if Path(file).stem == name]
    return files[0] if files else None


def _verified(file: str) -> Path:
    path = CHECKPOINTS / file
    if not path.is_file():
        raise CheckpointError(
            f"{file}: a released model that is not part of the installed package; copy it from checkpoints/ of the "
            "source repository and give its path"
        )
    if sha256(path) != checksums().get(file):
        raise CheckpointError(f"{path}: SHA-256 differs from the one in {_SUMS}; install the package again")
    return path


def require_known(path: Path, named: bool = True, detectors: Sequence[str] = ()) -> None:
    """Refuse a bare name that is neither a file nor a released model, with the nearest of these.

    Args:
        path: from `resolve_model`.
        named: false where the name may be something else.
        detectors: names of detectors and peers, where these are taken as well.

    Raises:
        CheckpointError: there is no such file.
    """
    if named and not path.suffix and len(path.parts) == 1 and not path.exists():
        kind = "released model or detector" if detectors else "released model"
        known = suggest(str(path), [*released_models(), *detectors])
        raise CheckpointError(f"{path}: no such file and no {kind} of this name: {known}")


def require_no_folder(path: Path) -> None:
    """Refuse a folder in place of a model file, and name the best weights of a run in it.

    Raises:
        CheckpointError: it is a folder.
    """
    if path.is_dir():
        best = path / "best.ckpt"
        hint = f"give its {best}" if best.is_file() else "give a model file in it"
        raise CheckpointError(f"{path}: a folder; {hint}")
