"""Third-party detector files, ONNX or TFLite: their input and layout, and one image through them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.net_file import onnx_session
from distill.detection.retinaface.priors import MULTIPLE
from distill.detection.third_party.layouts import LAYOUTS, Layout, recognise
from distill.errors import CheckpointError
from distill.images import Photo
from distill.pretrained.released_files import require_undamaged_release
from distill.tflite.interpreter import TFLiteNet

# Side of the blank image that shows the shapes of the outputs of a file whose input may have any size.
_PROBED = 64
_CHANNELS = 3


class ThirdPartyNet:
    """A file of a known layout: an image (h, w, 3) uint8 RGB -> candidates in pixels of the image.

    Attributes:
        layout: what it takes and returns.
        fixed: width and height of its input in pixels; None where it takes any multiples of 32.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        """Open a file and run it once, on a blank image, to recognise its outputs.

        Args:
            path: `.onnx` or `.tflite`; the input of a TFLite file has the size it was converted for.
            threads: threads of the runtime.

        Raises:
            CheckpointError: a missing or broken file, an input that is no image, or outputs of no known layout.
            ConfigError: the runtime of this format is not installed.
        """
        self._path = Path(path)
        self._net: TFLiteNet | None = None
        self._session: Any = None
        if self._path.suffix == ".tflite":
            if self._path.is_file():
                require_undamaged_release(path)
            self._net = TFLiteNet(path, threads)
            shape: list[Any] = list(self._net.input_shape)
        else:
            self._session = onnx_session(self._path, threads)
            shape = self._onnx_input_shape()
        self._channels_first = _has_channels_first(shape, self._path)
        height, width = shape[2:] if self._channels_first else shape[1:3]
        named = not (isinstance(height, int) and isinstance(width, int))
        self.fixed: tuple[int, int] | None = None if named else (width, height)
        self.layout = self._recognised(shape)

    def __call__(self, image: Photo, min_score: float) -> Candidates:
        """Return the candidates of at least a score in an image (h, w, 3) uint8 RGB of the size that the file takes."""
        height, width = image.shape[:2]
        return self.layout.decode(self._outputs(image, self.layout), width, height, min_score)

    def _outputs(self, image: Photo, layout: Layout) -> list[NDArray[np.floating]]:
        """Return the outputs for an image, each (n, channels), prepared as a layout needs it."""
        return [_rows(output) for output in self._raw(image[..., ::-1] if layout.bgr else image, layout)]

    def _raw(self, image: Photo, layout: Layout) -> list[NDArray[np.floating]]:
        inputs = ((image.astype(np.float32) - layout.mean) * layout.scale)[None]
        inputs = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2) if self._channels_first else inputs, np.float32)
        if self._net is not None:
            return list(self._net(inputs))
        try:
            return list(self._session.run(None, {self._session.get_inputs()[0].name: inputs}))
        except Exception as error:  # its errors share no base class but Exception
            size = f"{image.shape[1]}x{image.shape[0]} px"
            raise CheckpointError(f"{self._path}: ONNX Runtime cannot run it on an input of {size}") from error

    def _onnx_input_shape(self) -> list[Any]:
        first, *others = self._session.get_inputs()
        if others or first.type != "tensor(float)":
            kinds = ", ".join(f"{value.name} {value.type}" for value in (first, *others))
            raise CheckpointError(f"{self._path}: takes {kinds}; a detector takes one image of 32-bit floats")
        return list(first.shape)

    def _recognised(self, shape: list[Any]) -> Layout:
        """Return the layout by the outputs for a blank image; the preparation of the image does not change shapes."""
        width, height = self.fixed or (_PROBED, _PROBED)
        outputs = self._raw(np.zeros((height, width, _CHANNELS), np.uint8), LAYOUTS[0])
        flat = [_rows(output) for output in outputs if _has_rows(output)]
        layout = recognise([(output.shape[0], output.shape[1]) for output in flat], width, height)
        if layout is None or len(flat) < len(outputs):
            names = [value.name for value in self._session.get_outputs()] if self._session else [""] * len(outputs)
            found = ", ".join(f"{name} {_size(out.shape)}".strip() for name, out in zip(names, outputs, strict=True))
            known = "; ".join(f"{layout.name} ({layout.outputs})" for layout in LAYOUTS)
            raise CheckpointError(
                f"{self._path}: no known detector: input {_size(shape)}, outputs {found}; known: {known}; RetinaFace "
                f"of `distill export` with its {self._path.stem}.json"
            )
        return layout


def _has_channels_first(shape: list[Any], path: Path) -> bool:
    """Return whether the input (1, 3, h, w) or (1, h, w, 3) has its channels first.

    Raises:
        CheckpointError: it is neither, or its sides are too small for any feature map.
    """
    if len(shape) == 4 and _CHANNELS in (shape[1], shape[3]):
        first = bool(shape[1] == _CHANNELS)
        sides = shape[2:] if first else shape[1:3]
        if all(not isinstance(side, int) or side >= MULTIPLE for side in sides):
            return first
    raise CheckpointError(f"{path}: its input is {_size(shape)}, no image of three channels; give a face detector")


def _has_rows(output: NDArray[Any]) -> bool:
    """Return whether an output is (n, channels), or (1, n, channels)."""
    return output.ndim == 2 or (output.ndim == 3 and output.shape[0] == 1)


def _size(shape: Sequence[Any]) -> str:
    return "x".join(map(str, shape))


def _rows(output: NDArray[Any]) -> NDArray[Any]:
    return output.reshape(-1, output.shape[-1])
