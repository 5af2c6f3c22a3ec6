from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from distill.bench import cuda_engine
from distill.bench.cuda_engine import Gpu, load_checkpoint, load_onnx_cuda, onnx_modes, open_gpu
from distill.bench.latency import Measured
from distill.bench.parity import output_parity
from distill.errors import CheckpointError, ConfigError


class FakeCuda:
    """Events of a GPU that takes 2 ms a call, and a record of what was requested of it."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def synchronize(self) -> None:
        self.log.append("synchronize")

    def current_stream(self) -> Any:
        return SimpleNamespace(cuda_stream=7)

    def Event(self, enable_timing: bool) -> Any:  # noqa: N802  a name of torch
        assert enable_timing
        return SimpleNamespace(
            record=lambda: self.log.append("record"),
            synchronize=lambda: self.log.append("wait"),
            elapsed_time=lambda end: 2.0,
        )


@pytest.fixture
def gpu() -> Gpu:
    return Gpu("a card", FakeCuda(), "cpu")


def test_a_call_is_timed_between_two_events_after_earlier_work_and_until_its_own_is_done(gpu: Gpu) -> None:
    call = gpu.timed(lambda: gpu.cuda.log.append("run"))
    assert call() == Measured(2.0)
    assert gpu.cuda.log == ["synchronize", "record", "run", "record", "wait"]


def test_without_a_gpu_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="--target cuda: torch finds no CUDA GPU; use a machine with one"):
        open_gpu()


class Net(nn.Module):
    """Records the types and the rounding that it was run with."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, stride=8)
        self.runs: set[tuple[torch.dtype, bool]] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Net":
        copy = Net()
        copy.load_state_dict(self.state_dict())
        copy.runs = self.runs
        return copy

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.runs.add((image.dtype, torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32))
        return self.conv(image).flatten(2).mean(2)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Net]:
    net = Net().eval()
    spec = SimpleNamespace(crop=SimpleNamespace(size=16))
    monkeypatch.setattr("distill.models.checkpoint.load_model", lambda path: (net, spec))
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield net
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("fp32", (torch.float32, False)), ("tf32", (torch.float32, True)), ("fp16", (torch.float16, False))],
)
def test_a_checkpoint_runs_in_the_precision_of_its_row(
    mode: cuda_engine.Mode, expected: tuple[torch.dtype, bool], net: Net, gpu: Gpu
) -> None:
    loaded = load_checkpoint(Path("net.ckpt"), mode, gpu)
    assert net.runs == {expected}
    assert loaded.call() == Measured(2.0)
    assert net.conv.weight.dtype == torch.float32
    parity = output_parity(cuda_engine.checkpoint_outputs(Path("net.ckpt")), loaded.outputs)
    assert parity is not None
    assert parity.is_same(exact=mode != "fp16")


def test_a_network_that_fails_on_the_gpu_is_one_line(net: Net, gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(image: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image\nmore")

    monkeypatch.setattr(Net, "forward", lambda self, image: fail(image))
    with pytest.raises(
        CheckpointError, match=r"net.ckpt: cannot run in fp16 on a card \(CUDA error: no kernel image\)"
    ):
        load_checkpoint(Path("net.ckpt"), "fp16", gpu)


def onnx_file(path: Path, kind: Any = np.float32) -> Path:
    weights = numpy_helper.from_array(np.arange(12, dtype=kind).reshape(3, 4), "w")
    number = TensorProto.FLOAT if kind is np.float32 else TensorProto.FLOAT16
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", number, ["batch", 3])],
        [helper.make_tensor_value_info("y", number, ["batch", 4])],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_an_onnx_file_runs_in_what_it_is_stored_in(tmp_path: Path) -> None:
    assert onnx_modes(onnx_file(tmp_path / "fp32.onnx")) == ("fp32", "tf32")
    assert onnx_modes(onnx_file(tmp_path / "fp16.onnx", np.float16)) == ("fp16",)


def test_onnx_runtime_without_cuda_is_one_line(tmp_path: Path, gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    path = onnx_file(tmp_path / "net.onnx")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ConfigError, match="ONNX Runtime has no CUDA here; run `pip install onnxruntime-gpu`"):
        load_onnx_cuda(path, "fp32", gpu)


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], list[Any]]:
    """Let ONNX Runtime say that it has CUDA, run on the CPU, and report these providers of the session."""
    import onnxruntime

    make, given = onnxruntime.InferenceSession, []

    def claim(reported: list[str]) -> list[Any]:
        def session(path: str, options: Any, providers: list[Any]) -> Any:
            given.extend(providers)
            inner = make(path, options, providers=["CPUExecutionProvider"])
            inner.get_providers = lambda: reported
            return inner

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        return given

    return claim


def test_a_session_that_fell_back_to_the_processor_is_refused(
    tmp_path: Path, gpu: Gpu, providers: Callable[[list[str]], list[Any]]
) -> None:
    providers(["CPUExecutionProvider"])
    with pytest.raises(ConfigError, match="ONNX Runtime cannot start CUDA"):
        load_onnx_cuda(onnx_file(tmp_path / "net.onnx"), "fp32", gpu)


@pytest.mark.parametrize(("mode", "used"), [("fp32", "0"), ("tf32", "1")])
def test_onnx_runtime_computes_in_torch_s_stream_and_the_precision_of_the_row(
    mode: cuda_engine.Mode, used: str, tmp_path: Path, gpu: Gpu, providers: Callable[[list[str]], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given = providers(["CUDAExecutionProvider"])
    bind = cuda_engine.bind_inputs
    devices = []
    monkeypatch.setattr(
        cuda_engine, "bind_inputs", lambda session, path, device: devices.append(device) or bind(session, path, "cpu")
    )
    loaded = load_onnx_cuda(onnx_file(tmp_path / "net.onnx"), mode, gpu)
    settings = {"device_id": "0", "use_tf32": used, "user_compute_stream": "7"}
    assert given == [("CUDAExecutionProvider", settings)]
    assert devices == ["cuda"]
    assert loaded.call() == Measured(2.0)
    assert loaded.outputs[0].shape == (1, 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")
@pytest.mark.parametrize("mode", cuda_engine.MODES)
def test_a_checkpoint_on_a_real_gpu(mode: cuda_engine.Mode, net: Net) -> None:
    card = open_gpu()
    loaded = load_checkpoint(Path("net.ckpt"), mode, card)
    assert 0 < loaded.call().ms < 1000  # type: ignore[attr-defined]
    parity = output_parity(cuda_engine.checkpoint_outputs(Path("net.ckpt")), loaded.outputs)
    assert parity is not None
    assert parity.is_same(exact=mode == "fp32")
