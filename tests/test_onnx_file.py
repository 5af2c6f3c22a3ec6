"""ONNX files that name other files are refused, whatever part of the graph the tensor is in."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from distill.bench.onnx_graph import onnx_complexity
from distill.detection.retinaface.net_file import NetFile
from distill.errors import CheckpointError
from distill.inference.onnx_session import open_session
from distill.onnx_file import require_embedded
from distill.opcheck.match_values import match_values
from distill.tflite.model import Model, SubGraph


def _external(location: str = "../secret.bin") -> TensorProto:
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def _graph(tensors: list[TensorProto], nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
    value = helper.make_tensor_value_info
    return helper.make_graph(
        nodes, "g", [value("x", TensorProto.FLOAT, [4])], [value("y", TensorProto.FLOAT, [4])], tensors
    )


def _model(where: str, location: str = "../secret.bin") -> onnx.ModelProto:
    add = helper.make_node("Add", ["x", "w"], ["y"])
    inside = numpy_helper.from_array(np.ones(4, np.float32), "w")
    if where == "nowhere":
        graph = _graph([inside], [add])
    elif where == "initializer":
        graph = _graph([_external(location)], [add])
    elif where == "attribute":
        graph = _graph([inside], [helper.make_node("Constant", [], ["c"], value=_external()), add])
    else:
        branch = _graph([_external()], [add])
        chosen = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
        graph = _graph([inside], [chosen])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


def _write(path: Path, where: str) -> Path:
    path.write_bytes(_model(where).SerializeToString())
    return path


def _match_values(path: Path) -> object:
    return match_values(Model([SubGraph([], [], [])]), path, np.zeros((4, 4, 3), np.float32))


# Whatever gives the file to ONNX Runtime, which opens every file that the model names.
LOCATIONS = ("missing.bin", "weights.bin", "link.bin", "hard_link.bin", "../up.bin", "{0}/up.bin")
READERS = (require_embedded, open_session, onnx_complexity, NetFile, _match_values)


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("reader", READERS)
def test_external_data_is_refused_wherever_it_lies(reader: object, location: str, tmp_path: Path) -> None:
    """A detector file was given to ONNX Runtime without a look at what else it names."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (folder / "weights.bin", tmp_path / "up.bin"):
        path.write_bytes(np.ones(4, np.float32).tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "up.bin")
    (folder / "hard_link.bin").hardlink_to(tmp_path / "up.bin")
    content = _model("initializer", location.format(tmp_path)).SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.onnx: its weights lie in another file"):
        reader(folder / "model.onnx")  # type: ignore[operator]


@pytest.mark.parametrize("where", ["initializer", "attribute", "branch"])
@pytest.mark.parametrize("reader", READERS)
def test_external_data_is_refused(reader: object, where: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "model.onnx", where)
    with pytest.raises(CheckpointError, match="its weights lie in another file"):
        reader(path)  # type: ignore[operator]


def test_embedded_weights_are_accepted(tmp_path: Path) -> None:
    path = _write(tmp_path / "model.onnx", "nowhere")
    require_embedded(path)
    (output,) = open_session(path).run(None, {"x": np.zeros(4, np.float32)})
    assert output.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("content", [b"", b"\x3a\xff\xff\xff\xff\x0f", b"\xff" * 20, b"<html>"])
def test_what_is_no_model_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not an ONNX model"):
        require_embedded(path)
