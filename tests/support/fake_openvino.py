"""A stand-in for the module `openvino`: LiteRT behind the calls that `distill.bench.openvino_engine` makes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.tflite.interpreter import interpreter_class

__version__ = "2026.4.1-22982-e213a147257-releases/2026/4"


@dataclass
class _Size:
    """A size of a shape; None is an open one."""

    length: int | None

    @property
    def is_static(self) -> bool:
        return self.length is not None

    def get_length(self) -> int:
        assert self.length is not None
        return self.length


@dataclass(frozen=True)
class _Type:
    dtype: Any

    def to_dtype(self) -> Any:
        return np.dtype(self.dtype)


@dataclass(eq=False)
class _Port:
    sizes: list[int | None]
    dtype: Any

    @property
    def partial_shape(self) -> list[_Size]:
        return [_Size(size) for size in self.sizes]

    @property
    def shape(self) -> list[int]:
        return [_Size(size).get_length() for size in self.sizes]

    @property
    def element_type(self) -> _Type:
        return _Type(self.dtype)


@dataclass
class Tensor:
    """Values, as `openvino.Tensor` copies them."""

    data: NDArray[Any]


@dataclass
class _Request:
    interpreter: Any
    wrong: float
    outputs: list[Any] = field(default_factory=list)

    def set_input_tensor(self, index: int, tensor: Tensor) -> None:
        self.interpreter.set_tensor(self.interpreter.get_input_details()[index]["index"], tensor.data)

    def infer(self) -> None:
        self.interpreter.invoke()
        details = self.interpreter.get_output_details()
        self.outputs = [self.interpreter.get_tensor(entry["index"]) + self.wrong for entry in details]

    def get_output_tensor(self, index: int) -> Tensor:
        return Tensor(self.outputs[index])


@dataclass
class _Model:
    path: str
    wrong: float
    open_batch: bool

    def __post_init__(self) -> None:
        self.interpreter = interpreter_class()(model_path=self.path)
        self.interpreter.allocate_tensors()
        self.outputs = self.interpreter.get_output_details()
        self.inputs = [
            _Port([None if self.open_batch else 1, *map(int, entry["shape"][1:])], entry["dtype"])
            for entry in self.interpreter.get_input_details()
        ]

    def is_dynamic(self) -> bool:
        return self.open_batch

    def reshape(self, shapes: dict[_Port, list[int]]) -> None:
        for port, sizes in shapes.items():
            port.sizes = list(sizes)

    def create_infer_request(self) -> _Request:
        return _Request(self.interpreter, self.wrong)


class FakeOpenVino:
    """The module; `wrong` is added to all outputs, `refused` is the text of an error of the reader."""

    Tensor = Tensor
    __version__ = __version__

    def __init__(self, wrong: float = 0, refused: str = "", open_batch: bool = False) -> None:
        self.wrong = wrong
        self.refused = refused
        self.open_batch = open_batch
        self.settings: list[dict[str, Any]] = []
        self.read: list[bytes] = []

    def Core(self) -> "FakeOpenVino":  # noqa: N802  a name of OpenVINO
        return self

    def read_model(self, path: str) -> _Model:
        if self.refused:
            raise RuntimeError(self.refused)
        self.read.append(Path(path).read_bytes())
        return _Model(path, self.wrong, self.open_batch)

    def compile_model(self, model: _Model, device: str, settings: dict[str, Any]) -> _Model:
        assert device == "CPU"
        self.settings.append(settings)
        return model
