"""Accuracy of the timed models, from evaluations of the same files under one protocol."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.bench.models import TimedModel
from distill.errors import ConfigError, suggest
from distill.evaluate.protocol import Protocol, require_alike
from distill.files import read_regular

# The fields read here are the same in every version of the format.
_FORMAT = "distill-evaluation/"


@dataclass(frozen=True)
class Accuracy:
    """One model's accuracy.

    Attributes:
        nme_percent: by the protocol's first normaliser, or None.
        accuracy_percent: share of points within 5 pixels of the photo, which the contest's score takes, or None.
        source: the evaluation's file name, or `typed`.
    """

    nme_percent: float | None
    accuracy_percent: float | None
    source: str


@dataclass(frozen=True)
class Accuracies:
    """Accuracy by model name, and how it was measured (None when every number was typed)."""

    by_name: dict[str, Accuracy]
    protocol: Protocol | None

    @property
    def typed(self) -> list[str]:
        return [name for name, value in self.by_name.items() if value.source == "typed"]


def read_accuracies(
    models: Sequence[TimedModel],
    evaluations: Sequence[str | Path] = (),
    nme: Sequence[str] = (),
    accuracy: Sequence[str] = (),
) -> Accuracies:
    """Find the accuracy of the models timed.

    Args:
        models: the models.
        evaluations: files of `distill evaluate --json`; each belongs to the model with the SHA-256 it names.
        nme, accuracy: `NAME=PERCENT`, for models that `distill evaluate` cannot read.

    Raises:
        ConfigError: an evaluation that is none, of unlike protocol or of a file not timed, or a typed number that is
            none or of an unknown name.
    """
    read = [(Path(path), *_read(Path(path))) for path in evaluations]
    for _, protocol, _ in read[1:]:
        require_alike(read[0][1], protocol)
    found: dict[str, Accuracy] = {}
    for path, protocol, values in read:
        same = [model.name for model in models if model.sha256 == protocol.model_sha256]
        if not same:
            raise ConfigError(
                f"{path}: measures a file with SHA-256 {protocol.model_sha256[:12]}, which is not timed here; "
                "evaluate the file that is timed"
            )
        found |= dict.fromkeys(same, values)
    names = [model.name for model in models]
    shares, errors = _typed(accuracy, names, "--accuracy"), _typed(nme, names, "--nme")
    for name in {**errors, **shares}:
        if name in found:
            raise ConfigError(f"{name}: has an evaluation and a typed number; give one of them")
        found[name] = Accuracy(errors.get(name), shares.get(name), "typed")
    return Accuracies(found, read[0][1] if read else None)


def _read(path: Path) -> tuple[Protocol, Accuracy]:
    try:
        raw: Mapping[str, Any] = json.loads(read_regular(path))
        if not str(raw["format"]).startswith(_FORMAT):
            raise ConfigError(
                f"{path}: format '{raw['format']}' is no evaluation; make it with `distill evaluate --json`"
            )
        protocol = Protocol.from_dict(raw["protocol"])
        nme = raw["metrics"][protocol.normalisers[0]]["nme_percent"]
        return protocol, Accuracy(float(nme), float(raw["accuracy_5px_percent"]), path.name)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); make it with `distill evaluate --json`"
        ) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{path}: not an evaluation ({error!r}); make it with `distill evaluate --json`") from error


def _typed(entries: Sequence[str], names: list[str], option: str) -> dict[str, float]:
    found = {}
    for entry in entries:
        name, _, text = entry.rpartition("=")
        if name not in names:
            raise ConfigError(f"{option} {entry}: no model '{name}' is timed; {suggest(name, names)}")
        try:
            found[name] = float(text)
        except ValueError as error:
            raise ConfigError(f"{option} {entry}: '{text}' is not a number; give NAME=PERCENT") from error
        if not 0 < found[name] <= 100:
            raise ConfigError(f"{option} {entry}: give a percentage above 0, at most 100")
    return found
