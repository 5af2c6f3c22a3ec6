"""Shape checks against the mean face of a scheme: left and right swapped, wrong order, single outliers.

A point (x, y) is the complex number x + iy, so that one complex factor scales and turns a face. Faces are compared
after the similarity that fits them best to the mean (Procrustes), which never mirrors, so that left and right are
distinguished. The mean is the median of each point over the faces themselves, so most of them must be right.
Distances are in units of the root mean square distance of the mean's points from their centre.
"""

import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.data.check.finding import Finding
from distill.data.records import FaceRecord
from distill.data.spilled import Selected
from distill.landmarks import Scheme, load_scheme

Shapes = NDArray[np.complex128]

_SAMPLE = 2000
_ROUNDS = 6
_BLOCK = 4096
# Measured on the sound faces of ten public sets and on the same faces spoiled. A face fits worse with left and right
# exchanged: sound >= 1.09 times, exchanged <= 0.92 (FaceSynthetics with its profiles) or 0.61 (all others).
SWAPPED_RATIO = 0.8
# Sound faces are at most 0.37 away (300-W), shuffled ones about 1; in a set of wide poses, 3 times the median.
ODD = 0.5
ODD_TIMES = 3.0
# A point of a sound face of 300-W or MUCT is at most 0.98 away, and then where all faces vary.
OUTLIER = 0.75
OUTLIER_TIMES = 6.0
# Sound means: steps <= 0.18 and 0.24 from their mirror image; in random order: 0.9 and 0.98.
EDGE_RATIO = 0.5
ASYMMETRY = 0.5
# Two points are exchanged when each lies much nearer to the other's position, and these are not close.
_EXCHANGED = 0.4
_APART = 0.3
_APART_TIMES = 2.0

_SWAP = "exchange its left and right points by the scheme's flip pairs"
_SET_SWAP = "exchange left and right points of the whole set, or turn its photos upright"
_ORDER = "name the scheme these points were marked in, or write one (docs: a scheme of one's own)"
_LOOK = "check it (--sheets): wrong face, wrong order, or a very unusual pose"
_POINT = "check it (--sheets): mark the point again, unless the face is a profile"


@dataclass(frozen=True)
class Fit:
    """Faces laid on their mean.

    shapes: (n, k) complex. mean: (k,). distance: (n, k) from the mean. error: (n,), its root mean square over a face.
    Points that are not annotated are NaN.
    """

    shapes: Shapes
    mean: Shapes
    distance: NDArray[np.float64]
    error: NDArray[np.float64]


def complex_shapes(records: Sequence[FaceRecord]) -> Shapes:
    """Points of the faces as (n, k) complex, NaN where not marked."""
    points = np.stack([record.landmarks for record in records]).astype(np.float64)
    shapes = points[..., 0] + 1j * points[..., 1]
    shapes[~np.stack([record.known for record in records])] = np.nan
    return shapes


def lay_on(shapes: Shapes, mean: Shapes) -> Fit:
    """Lay faces (n, k) on a mean (k,) by the best similarity of each, over the points both have."""
    known = ~(np.isnan(shapes) | np.isnan(mean))
    weight = 1 / known.sum(1, keepdims=True)
    source, target = np.where(known, shapes, 0), np.where(known, mean, 0)
    source = np.where(known, source - source.sum(1, keepdims=True) * weight, 0)
    centre = target.sum(1, keepdims=True) * weight
    target = np.where(known, target - centre, 0)
    size = np.maximum((np.abs(source) ** 2).sum(1, keepdims=True), 1e-9)
    laid = (np.conj(source) * target).sum(1, keepdims=True) / size * source
    distance = np.where(known, np.abs(laid - target), np.nan)
    error = np.sqrt((np.abs(laid - target) ** 2).sum(1) * weight[:, 0])
    return Fit(np.where(known, laid + centre, np.nan), mean, distance, error)


def _unit(mean: Shapes) -> Shapes:
    centred = mean - mean.mean()
    return np.asarray(centred / np.sqrt(np.mean(np.abs(centred) ** 2)))


def mean_shape(shapes: Shapes) -> Shapes:
    """The median face (k,) of faces (n, k), of unit size, NaN where no face has the point.

    It starts from the faces as they stand in their photos, so that up is up.
    """
    marked = ~np.isnan(shapes).all(0)
    sample = shapes[np.linspace(0, len(shapes) - 1, min(len(shapes), _SAMPLE)).astype(int)]
    marked &= ~np.isnan(sample).all(0)
    sample = sample[:, marked]
    laid = sample - np.nanmean(sample, axis=1, keepdims=True)
    laid = laid / np.sqrt(np.maximum(np.nanmean(np.abs(laid) ** 2, axis=1, keepdims=True), 1e-9))
    for _ in range(_ROUNDS):
        mean = _unit(np.nanmedian(laid.real, axis=0) + 1j * np.nanmedian(laid.imag, axis=0))
        laid = lay_on(sample, mean).shapes
    whole = np.full(shapes.shape[1], np.nan, np.complex128)
    whole[marked] = mean
    return whole


def asymmetry(mean: Shapes, scheme: Scheme) -> float:
    """How far the mean face is from its own mirror image: small when the flip pairs fit the points."""
    return float(lay_on(-np.conj(mean[list(scheme.flip)])[None], mean).error[0])


def edge_ratio(mean: Shapes, scheme: Scheme) -> float:
    """Median step along the scheme's edges in units of the median distance of any two points; 1 for random order."""
    ends = [pair for edge in scheme.edges for pair in zip(edge.points, edge.points[1:], strict=False)]
    steps = np.array([abs(mean[b] - mean[a]) for a, b in ends])
    pairs = np.abs(mean[:, None] - mean[None])[np.triu_indices(len(mean), 1)]
    steps = steps[~np.isnan(steps)]
    pairs = pairs[~np.isnan(pairs)]
    if len(steps) < 8:
        return 0.0  # too few to judge, as in the scheme of five points
    return float(np.median(steps) / np.median(pairs))


def _check_set(faces: Sequence[FaceRecord], mean: Shapes, scheme: Scheme) -> Iterator[Finding]:
    """Check the mean face alone; a finding applies to every face."""
    ratio = edge_ratio(mean, scheme)
    skew = asymmetry(mean, scheme)
    if ratio > EDGE_RATIO or skew > ASYMMETRY:
        what = f"points do not follow the scheme (steps along its edges {ratio:.2f}, mirror image {skew:.2f} away)"
        yield Finding("error", "wrong scheme", scheme.name, what, _ORDER)
        return
    ends = scheme.ocular or scheme.pupil
    if ends is None:
        return
    across = np.concatenate(
        [shapes[:, list(ends[1])].mean(1) - shapes[:, list(ends[0])].mean(1) for _, shapes in _blocks(faces)]
    )
    across = across[~np.isnan(across)]
    share = float(np.mean(across.real < 0)) if len(across) else 0.0
    if share > 0.5:
        what = f"in {share:.0%} of the faces the subject's right eye lies right of the left one in the picture"
        yield Finding("error", "left and right", scheme.name, what, _SET_SWAP)


def _exchanged(laid: Shapes, mean: Shapes, usual: NDArray[np.float64]) -> tuple[int, int] | None:
    """The two points of one face (k,) that are most surely exchanged with each other, if any are."""
    if (np.abs(laid - mean) > np.maximum(_APART, _APART_TIMES * usual)).sum() < 2:
        return None
    gap = np.abs(laid[:, None] - mean[None])  # of point i to the position of point j
    own = np.diagonal(gap)
    before, after = own[:, None] + own[None], gap + gap.T
    away = own > np.maximum(_APART, _APART_TIMES * usual)
    ratio = np.where(away[:, None] & away[None], after / np.maximum(before, 1e-9), np.inf)
    ratio[np.isnan(ratio)] = np.inf
    first, second = np.unravel_index(int(ratio.argmin()), ratio.shape)
    return (int(first), int(second)) if ratio[first, second] < _EXCHANGED else None


def _check_face(record: FaceRecord, fit: Fit, index: int, usual: NDArray[np.float64], odd: float) -> Iterator[Finding]:
    """One face whose left and right are as they should be; `usual` is the median distance of each point."""
    if fit.error[index] > odd:
        what = f"{fit.error[index]:.2f} away from the mean face, more than {odd:.2f}"
        yield Finding("warning", "odd shape", record.name, what, _LOOK)
        return
    pair = _exchanged(fit.shapes[index], fit.mean, usual)
    if pair is not None:
        what = f"points {pair[0]} and {pair[1]} lie at each other's position"
        yield Finding("warning", "points exchanged", record.name, what, _POINT)
        return
    distance = np.nan_to_num(fit.distance[index])
    outliers = np.flatnonzero(distance > np.maximum(OUTLIER, OUTLIER_TIMES * usual))
    if len(outliers):
        worst = int(outliers[distance[outliers].argmax()])
        more = f", and {len(outliers) - 1} more" if len(outliers) > 1 else ""
        what = f"point {worst} is {distance[worst]:.2f} from its usual position{more}"
        yield Finding("warning", "point astray", record.name, what, _POINT)


def _blocks(faces: Sequence[FaceRecord]) -> Iterator[tuple[Sequence[FaceRecord], Shapes]]:
    """Yield neighbours and their points (m, k)."""
    for start in range(0, len(faces), _BLOCK):
        block = faces[start : start + _BLOCK]
        yield block, complex_shapes(block)


def _marked(faces: Sequence[FaceRecord]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return (k,) whether a face has the point, and (n,) how many points each face has."""
    known = ((part.any(0), part.sum(1)) for part in (~np.isnan(shapes) for _, shapes in _blocks(faces)))
    marked, counts = zip(*known, strict=True)
    return np.any(marked, 0), np.concatenate(counts)


def _mean_of(faces: Sequence[FaceRecord]) -> Shapes:
    """Return the mean shape of a sample of the faces."""
    sample = np.linspace(0, len(faces) - 1, min(len(faces), _SAMPLE)).astype(int)
    return mean_shape(complex_shapes(Selected(faces, sample)))


def _usual(faces: Sequence[FaceRecord], mean: Shapes) -> tuple[NDArray[np.float64], float]:
    """Return the median distance (k,) of each point from the mean, 0 where no face has it, and the median error."""
    errors = []
    count = len(faces)
    with tempfile.TemporaryFile(buffering=0) as file:  # the distances of a point side by side
        start = 0
        for _, shapes in _blocks(faces):
            fit = lay_on(shapes, mean)
            for point, distance in enumerate(fit.distance.T):
                file.seek(8 * (point * count + start))
                file.write(distance.tobytes())
            errors.append(fit.error)
            start += len(shapes)
        file.seek(0)
        rows = (np.frombuffer(file.read(8 * count)) for _ in mean)
        known = (row[~np.isnan(row)] for row in rows)
        usual = [np.median(row) if len(row) else 0.0 for row in known]
    return np.nan_to_num(np.array(usual)), float(np.median(np.concatenate(errors)))


def _check_scheme(faces: Sequence[FaceRecord], scheme: Scheme) -> Iterator[Finding]:
    marked, counts = _marked(faces)
    faces = Selected(faces, np.flatnonzero(counts >= min(4, int(marked.sum()))))
    if len(faces) < 3 or marked.sum() < 3:
        return  # too few for a mean
    mean = _mean_of(faces)
    whole = list(_check_set(faces, mean, scheme))
    yield from whole
    if any(finding.check == "wrong scheme" for finding in whole):
        return  # single faces cannot be judged
    usual, error = _usual(faces, mean)
    odd = max(ODD, ODD_TIMES * error)
    for block, shapes in _blocks(faces):
        fit = lay_on(shapes, mean)
        flipped = lay_on(shapes[:, list(scheme.flip)], mean)
        for index, record in enumerate(block):
            if flipped.error[index] < SWAPPED_RATIO * fit.error[index]:
                exchanged = f"{flipped.error[index]:.2f} with left and right exchanged"
                what = f"{fit.error[index]:.2f} away from the mean face, {exchanged}"
                yield Finding("error", "left and right", record.name, what, _SWAP)
            else:
                yield from _check_face(record, fit, index, usual, odd)


def find_odd_shapes(records: Sequence[FaceRecord]) -> Iterator[Finding]:
    """Compare the faces of each scheme with their mean; a block of the faces is in memory at a time."""
    of_scheme: dict[str, array[int]] = {}
    for index, record in enumerate(records):
        if record.labels != "none":
            of_scheme.setdefault(record.scheme, array("q")).append(index)
    for name, chosen in sorted(of_scheme.items()):
        yield from _check_scheme(Selected(records, np.array(chosen)), load_scheme(name))
