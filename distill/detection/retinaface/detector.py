"""RetinaFace on photos, without torch: letterbox or tiles, network, decoding, suppression, box calibration."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.detection.boxes import INSIDE_TILED, Suppression, photo_tiles, require_suppression, suppress
from distill.detection.detection import Detection
from distill.detection.retinaface.box_calibration import calibrated
from distill.detection.retinaface.decode_maps import Candidates, candidates_of, concatenate
from distill.detection.retinaface.letterbox import letterbox, to_photo
from distill.detection.retinaface.net_file import Maps, NetFile
from distill.detection.retinaface.priors import MULTIPLE, require_side
from distill.detection.retinaface.refine import refined
from distill.detection.retinaface.sidecar import DetectorFileSpec, read_detector_sidecar, require_score
from distill.errors import ConfigError
from distill.geometry import Box
from distill.images import AnyPhoto, Photo, coarse_level
from distill.images.scaled import Level

# Side of the input that shows faces which fill the photo as large as training images show them. Pixels of the first
# input: beside a face larger than `_DOUBTFUL` the photo is searched again, for faces larger than `_FILLS`
# (scripts/studies/detector_large_faces.py).
_SMALL_VIEW = 160
_DOUBTFUL = 160
_FILLS = 272
_ENLARGE = 2.0
IOU = 0.4

Window = tuple[int, int, int, int]


class MapDetector:
    """Search of photos by a network's output maps: every face, best score first, with five points.

    The whole photo is scaled to `size` pixels on its longer side (small photos to at most twice their own size) and,
    where no face or a large one is found there, to 160 px: a face may fill it. Wide photos (longer side above 2 shorter
    ones) and large ones (above 4 `size`) are also searched in square tiles, whose side is the shorter one of the photo
    or half the longer one. Boxes are refined face by face (`refine`) and calibrated to the training convention.
    """

    def __init__(
        self,
        net: Callable[[Photo], Maps],
        spec: DetectorFileSpec,
        size: int | None = None,
        min_score: float | None = None,
        suppression: Suppression = "hard",
    ) -> None:
        """Take a network.

        Args:
            net: an image (h, w, 3) uint8 RGB, sides multiples of 32 -> what `candidates_of` takes.
            spec: its prior boxes, size, score and calibration.
            size: longest side of the input in pixels, a multiple of 32; by default that of `spec`, and no other where
                that is fixed.
            min_score: faces below are left out; by default the operating threshold of `spec`.
            suppression: of two boxes with an IoU above 0.4, `hard` drops the weaker one, `soft` multiplies its score by
                1 - IoU.

        Raises:
            ConfigError: a size that is no multiple of 32 or not the fixed one, a score outside [0, 1], or another
                suppression.
        """
        self.spec = spec
        self.size = spec.size if size is None else size
        self.operating_score = spec.min_score
        self.min_score = spec.min_score if min_score is None else min_score
        if spec.decoded and self.size != spec.size:
            raise ConfigError(f"this detector file has a fixed input of {spec.size} px: leave --detector_size out")
        require_side(self.size)
        require_score(self.min_score)
        require_suppression(suppression)
        self.suppression = suppression
        self._net = net

    def __call__(self, photo: AnyPhoto) -> list[Detection]:
        """Find the faces of a photo (h, w, 3) uint8 RGB, or of a JPEG that is decoded as needed."""
        found = self.precise(photo)
        table = self.spec.table
        boxes = found.boxes if table is None else calibrated(found.boxes, found.points, table)
        return [
            Detection(Box(*(float(value) for value in box)), float(score), points.astype(np.float32))
            for box, score, points in zip(boxes, found.scores, found.points, strict=True)
        ]

    def precise(self, photo: AnyPhoto) -> Candidates:
        """Return the faces with the network's own boxes after the refinement; the calibration is fitted to these.

        Suppressed once more: the refinement moves several boxes of a large, blurred face onto each other. Scores that
        are lowered by overlaps are so once, by those of the refined boxes.
        """
        candidates, inside = self._candidates(photo)
        kept, _ = self._suppression(candidates, inside)
        found = refined(photo, candidates.at(kept), self._net, self.spec.anchors)
        return self._suppressed(found, 1.0) if len(kept) > 1 else found

    def own_boxes(self, photo: AnyPhoto) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return boxes (n, 4) and scores (n,) of `find`, as metrics of detectors take them."""
        found = self.find(photo)
        return found.boxes, found.scores

    def find(self, photo: AnyPhoto) -> Candidates:
        """Return the faces with the network's own boxes, in the convention of the boxes it was trained on."""
        return self._suppressed(*self._candidates(photo))

    def _candidates(self, photo: AnyPhoto) -> tuple[Candidates, float]:
        """Return what is found in all views, and the part by which a box may lie in a better one."""
        height, width = photo.shape[:2]
        views, level = self.views(width, height), coarse_level(photo)
        (whole, size), *rest = views
        # The small input is made of the large one: averaging all pixels of the photo again takes longer.
        shown = level.reduced(size)
        parts = [self._view(shown, whole, size), *(self._view(level, window, side) for window, side in rest)]
        least = self.second_search(views[0], parts[0])
        if least is not None:
            again = self._view(shown, whole, _SMALL_VIEW)
            parts.append(again.at(np.flatnonzero(again.longer > least)))
        return concatenate(parts), INSIDE_TILED if len(views) > 1 else 1.0

    def views(self, width: int, height: int) -> list[tuple[Window, int]]:
        """Return the windows of a photo, the whole of it first, with the longer side of the input that shows each."""
        windows = [(0, 0, width, height), *self.tiles(width, height)]
        return [(window, self.input_size(window)) for window in windows]

    def second_search(self, view: tuple[Window, int], found: Candidates) -> float | None:
        """Return the longer side in pixels of the photo above which faces of a search in the small input are added.

        Args:
            view: window and size of the whole photo.
            found: what was found in it.

        Returns:
            0 where no face reached the score of the file; None where the small input is not needed.
        """
        (_, _, width, height), size = view
        longer = found.longer[found.scores >= self.operating_score] * size / max(width, height)
        if size <= _SMALL_VIEW or (len(longer) and longer.max() <= _DOUBTFUL):
            return None
        return _FILLS * max(width, height) / size if len(longer) else 0.0

    def tiles(self, width: int, height: int) -> Iterator[Window]:
        """Yield (left, top, right, bottom) of the tiles of a photo; none where the whole photo is enough."""
        yield from photo_tiles(width, height, self.size)

    def input_size(self, window: Window) -> int:
        """Return the longer side of the input for a part of a photo, a multiple of 32."""
        longer = max(window[2] - window[0], window[3] - window[1])
        return min(self.size, -(-int(_ENLARGE * longer) // MULTIPLE) * MULTIPLE)

    def _view(self, level: Level, window: Window, size: int) -> Candidates:
        """Return what the network finds in a part of the photo; window and results are in pixels of the whole photo."""
        edges = np.array(window, np.float64).reshape(2, 2) * level.scale
        left, top, right, bottom = (int(edge) for edge in np.rint(edges).ravel())
        # A photo of a few rows or columns has less than one of them at this level.
        inputs = letterbox(level.pixels[top : max(bottom, top + 1), left : max(right, left + 1)], size)
        height, width = inputs.image.shape[:2]
        found = candidates_of(self._net(inputs.image), self.spec.anchors, width, height, self.min_score)
        origin = np.array([left, top], np.float64)
        boxes = level.to_whole(to_photo(found.boxes, inputs.scale).reshape(-1, 2, 2) + origin)
        points = level.to_whole(to_photo(found.points, inputs.scale) + origin)
        return Candidates(boxes.reshape(-1, 4), found.scores, points)

    def _suppression(self, found: Candidates, inside: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the indices of the faces, best first, and their scores; see `group` for `inside`."""
        return suppress(found.boxes, found.scores, self.suppression, IOU, self.min_score, inside)

    def _suppressed(self, found: Candidates, inside: float) -> Candidates:
        kept, scores = self._suppression(found, inside)
        return found.at(kept)._replace(scores=scores)


class RetinaFaceDetector(MapDetector):
    """A detector file, as `MapDetector`."""

    def __init__(
        self,
        path: str | Path,
        size: int | None = None,
        threads: int = 1,
        min_score: float | None = None,
        suppression: Suppression = "hard",
    ) -> None:
        """Load a detector file.

        Args:
            path: `.tflite` or `.onnx` with its `.json` beside it.
            size: longest side of the input in pixels, a multiple of 32; by default that of the file, and no other where
                that is fixed.
            threads: threads of the network.
            min_score: faces below are left out; by default the file's operating threshold.
            suppression: see `MapDetector`.

        Raises:
            CheckpointError: a missing or broken file.
            ConfigError: a size that is no multiple of 32 or not the fixed one, a score outside [0, 1], another
                suppression, or no runtime.
        """
        spec = read_detector_sidecar(path)
        super().__init__(NetFile(path, threads, spec.fixed_side), spec, size, min_score, suppression)
