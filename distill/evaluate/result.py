"""Result of an evaluation: the error of every landmark, and the metrics computed from it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from distill.errors import AnnotationError
from distill.evaluate.intervals import Values, bootstrap_interval
from distill.evaluate.protocol import Protocol, require_alike
from distill.landmarks import load_scheme, own_definition, register_scheme
from distill.metrics.functional import accuracy_within, summarise

FORMAT = "distill-evaluation/2"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Errors of a model on n faces, as fractions of a normaliser or pixels of the photo.

    Attributes:
        model: what was measured, for people (a file name).
        protocol: how.
        names: of the faces, in order.
        offsets: (n, k, 2) prediction minus truth in pixels of the photo; NaN where the point is not annotated; it then
            counts nowhere.
        distances: for each normaliser, (n,) pixels of the photo.
    """

    model: str
    protocol: Protocol
    names: tuple[str, ...]
    offsets: NDArray[np.float32]
    distances: Mapping[str, Values]

    @property
    def primary(self) -> str:
        """The normaliser shown first: ocular where the scheme has it."""
        return self.protocol.normalisers[0]

    @cached_property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Parts of the face by name, those with an annotated point."""
        known = np.isfinite(self.errors).any(0)
        parts = load_scheme(self.protocol.scheme).groups
        return {name: points for name, points in parts.items() if known[list(points)].any()}

    @cached_property
    def errors(self) -> Values:
        """Distance of every point (n, k) in pixels of the photo, NaN without annotation."""
        return np.linalg.norm(self.offsets.astype(np.float64), axis=-1)

    def _errors_of(self, group: str | None) -> Values:
        return self.errors if group is None else self.errors[:, list(self.groups[group])]

    def nme(self, normaliser: str | None = None, group: str | None = None) -> Values:
        """Return the NME of every face (n,), over all known points or those of one group; NaN where none is known."""
        errors = self._errors_of(group)
        known = np.isfinite(errors)
        with np.errstate(invalid="ignore"):
            means = np.where(known, errors, 0).sum(1) / known.sum(1)
        return means / self.distances[normaliser or self.primary]

    def summary(self, normaliser: str | None = None) -> dict[str, float]:
        """Return nme, its median, fr8, fr10, auc8, auc10 as fractions."""
        nme = self.nme(normaliser)
        values = {name: float(value) for name, value in summarise(torch.from_numpy(nme)).items()}
        return {"nme": values.pop("nme"), "nme_median": float(np.median(nme)), **values}

    def interval(self, normaliser: str | None = None) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the mean NME over faces."""
        return bootstrap_interval(self.nme(normaliser), self.protocol.seed)

    def accuracy_5px(self, group: str | None = None) -> float:
        """Return the share of points at most 5 pixels of the photo from the truth; it depends on the photo's size."""
        return _within(self._errors_of(group))

    @property
    def accuracy_5px_box256(self) -> float:
        """The same after scaling every photo so that sqrt(width * height) of the true face box is 256 pixels."""
        return _within(self.errors * (256 / self.distances["box"])[:, None])

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for `files.write_json`; shares and errors in percent.

        No point of the data set is in it: `offsets` are differences (base64 of little-endian float32, n x k x 2).
        """
        kinds = self.protocol.normalisers
        per_face = {kind: _percent(self.nme(kind).tolist()) for kind in kinds}
        return {
            "format": FORMAT,
            "model": self.model,
            "protocol": self.protocol.to_dict(),
            # Of a user's own scheme, so that a report can be made without the folder of the data.
            **({"definition": definition} if (definition := own_definition(self.protocol.scheme)) else {}),
            "metrics": {kind: self._metrics(kind) for kind in kinds},
            "accuracy_5px_percent": 100 * self.accuracy_5px(),
            "accuracy_5px_box256_percent": 100 * self.accuracy_5px_box256,
            "groups": {
                group: {
                    "points": len(points),
                    "nme_percent": {kind: 100 * float(np.nanmean(self.nme(kind, group))) for kind in kinds},
                    "accuracy_5px_percent": 100 * self.accuracy_5px(group),
                }
                for group, points in self.groups.items()
            },
            "faces": {
                "name": list(self.names),
                "nme_percent": per_face,
                "distances": {kind: [float(value) for value in values] for kind, values in self.distances.items()},
                "offsets": base64.b64encode(np.ascontiguousarray(self.offsets, "<f4").tobytes()).decode(),
            },
        }

    @classmethod
    def from_json(cls, path: str | Path) -> "Evaluation":
        """Read what `distill evaluate --json` wrote.

        Raises:
            AnnotationError: missing, or not an evaluation of this version.
        """
        path = Path(path)
        if not path.is_file():
            raise AnnotationError(f"{path}: no such file; make it with `distill evaluate MODEL --json {path}`")
        try:
            raw = json.loads(path.read_text())
            if raw["format"] != FORMAT:
                raise ValueError(f"its format is {raw['format']}, not {FORMAT}")
            protocol, faces = Protocol.from_dict(raw["protocol"]), raw["faces"]
            if "definition" in raw:
                register_scheme(raw["definition"], str(path))
            offsets = np.frombuffer(base64.b64decode(faces["offsets"]), "<f4")
            return cls(
                model=raw["model"],
                protocol=protocol,
                names=tuple(faces["name"]),
                offsets=offsets.reshape(protocol.n_faces, protocol.points, 2),
                distances={kind: np.array(values, np.float64) for kind, values in faces["distances"].items()},
            )
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise AnnotationError(
                f"{path}: not an evaluation ({error}); run `distill evaluate --json` again"
            ) from error

    def _metrics(self, kind: str) -> dict[str, Any]:
        values = {f"{name}_percent": 100 * value for name, value in self.summary(kind).items()}
        return {**values, "nme_95_percent": _percent(self.interval(kind))}


def _within(errors: Values) -> float:
    return float(accuracy_within(torch.from_numpy(errors[np.isfinite(errors)])))


def _percent(values: Any) -> list[float]:
    return [100 * value for value in values]


class PairedDifference(NamedTuple):
    """Mean NME of `a` minus that of `b` on the same faces, as fractions; negative: `a` is better.

    Attributes:
        mean: of the differences.
        low: lower end of the 95 % interval.
        high: upper end; when 0 lies outside [low, high] the two models differ.
    """

    mean: float
    low: float
    high: float


def paired_bootstrap(a: Evaluation, b: Evaluation, normaliser: str | None = None) -> PairedDifference:
    """Compare two models face by face.

    Raises:
        ConfigError: the two were not measured on the same faces in the same way.
    """
    require_alike(a.protocol, b.protocol)
    differences = a.nme(normaliser) - b.nme(normaliser)
    return PairedDifference(float(differences.mean()), *bootstrap_interval(differences, a.protocol.seed))
