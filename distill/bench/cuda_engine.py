"""Checkpoints in PyTorch and ONNX files in ONNX Runtime on a GPU, timed with CUDA events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from distill.bench.latency import Loaded, Measured
from distill.bench.runners import bind_inputs, random_values
from distill.errors import CheckpointError, ConfigError, first_line

Mode = Literal["fp32", "tf32", "fp16"]
MODES: tuple[Mode, ...] = ("fp32", "tf32", "fp16")
_PROVIDER = "CUDAExecutionProvider"
# Calls before any is timed: the first ones choose algorithms and raise the clock.
_WARMUP = 10


@dataclass(frozen=True)
class Gpu:
    """A GPU as PyTorch sees it.

    Attributes:
        name: of the card.
        cuda: the module `torch.cuda`, for events and streams.
        device: where PyTorch puts tensors.
    """

    name: str
    cuda: Any
    device: str = "cuda"

    def timed(self, run: Callable[[], object]) -> Callable[[], Measured]:
        """Return a call that measures the time between two events around `run`, all work before it being done."""

        def call() -> Measured:
            start, end = (self.cuda.Event(enable_timing=True) for _ in range(2))
            self.cuda.synchronize()
            start.record()
            run()
            end.record()
            end.synchronize()
            return Measured(float(start.elapsed_time(end)))

        return call


def open_gpu() -> Gpu:
    """Return the GPU of this machine.

    Raises:
        ConfigError: torch is not installed or finds none.
    """
    try:
        import torch
    except ImportError as error:
        raise ConfigError("--target cuda: torch is not installed; see `make help` for builds with CUDA") from error
    if not torch.cuda.is_available():
        raise ConfigError(
            "--target cuda: torch finds no CUDA GPU; use a machine with one and a build of torch for CUDA (`make help`)"
        )
    return Gpu(torch.cuda.get_device_name(), torch.cuda)


def load_checkpoint(path: Path, mode: Mode, gpu: Gpu) -> Loaded:
    """Return a network in eager PyTorch on the GPU.

    Args:
        path: `.ckpt` or `.safetensors`.
        mode: `fp32`; `tf32`, whose products are rounded to TensorFloat-32; `fp16`, weights and activations of 16 bits.
        gpu: of `open_gpu`.

    Raises:
        CheckpointError: weights that cannot be read, or a network that fails on the GPU.
    """
    import torch

    net, image = _net_and_image(path)
    half = mode == "fp16"
    net, image = deepcopy(net).to(gpu.device), image.to(gpu.device)
    if half:
        net, image = net.half(), image.half()

    def run() -> Any:
        with torch.inference_mode(), _tf32(mode == "tf32"):
            return net(image)

    try:
        for _ in range(_WARMUP):
            outputs = run()
    except RuntimeError as error:
        raise CheckpointError(f"{path}: cannot run in {mode} on {gpu.name} ({first_line(error)})") from error
    return Loaded(gpu.timed(run), _arrays(outputs))


def checkpoint_outputs(path: Path) -> list[Any]:
    """Return the outputs of a network on the CPU for the image that `load_checkpoint` shows it."""
    import torch

    net, image = _net_and_image(path)
    with torch.inference_mode():
        return _arrays(net(image))


def _net_and_image(path: Path) -> tuple[Any, Any]:
    import torch

    from distill.models.checkpoint import load_model

    net, spec = load_model(path)
    size = spec.crop.size
    return net.cpu().eval(), torch.from_numpy(random_values((1, 3, size, size), np.float32, str(path)))


def _arrays(outputs: Any) -> list[Any]:
    """Return the tensors among a network's outputs as arrays."""
    import torch

    parts = outputs if isinstance(outputs, tuple | list) else (outputs,)
    return [part.float().cpu().numpy() for part in parts if isinstance(part, torch.Tensor)]


@contextmanager
def _tf32(used: bool) -> Iterator[None]:
    """Allow or forbid TensorFloat-32, and set it back."""
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = used
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def onnx_modes(path: Path) -> tuple[Mode, ...]:
    """Return what an ONNX file can be computed in: `fp16` for weights of 16 bits, else `fp32` and `tf32`."""
    import onnx

    kinds = {tensor.data_type for tensor in onnx.load(str(path)).graph.initializer if len(tensor.dims) > 1}
    return ("fp16",) if onnx.TensorProto.FLOAT16 in kinds else ("fp32", "tf32")


def load_onnx_cuda(path: Path, mode: Mode, gpu: Gpu) -> Loaded:
    """Return an ONNX file in ONNX Runtime on the GPU, in the stream of PyTorch, inputs and outputs on the GPU.

    Raises:
        CheckpointError: a file it cannot run there.
        ConfigError: this build of ONNX Runtime has no CUDA, or cannot start it.
    """
    import onnxruntime

    from distill.inference.onnx_session import open_session

    if _PROVIDER not in onnxruntime.get_available_providers():
        raise ConfigError("ONNX Runtime has no CUDA here; run `pip install onnxruntime-gpu` in place of onnxruntime")
    stream = str(gpu.cuda.current_stream().cuda_stream)
    settings = {"device_id": "0", "use_tf32": str(int(mode == "tf32")), "user_compute_stream": stream}
    session = open_session(path, 1, providers=[(_PROVIDER, settings)])
    # Where CUDA cannot start, ONNX Runtime prints why and takes the CPU.
    if _PROVIDER not in session.get_providers():
        raise ConfigError("ONNX Runtime cannot start CUDA; its release needs another CUDA or cuDNN than is installed")
    binding = bind_inputs(session, path, "cuda")
    try:
        for _ in range(_WARMUP):
            session.run_with_iobinding(binding)
    except Exception as error:  # its errors share no base class but Exception
        raise CheckpointError(f"{path}: ONNX Runtime cannot run it on {gpu.name} ({first_line(error)})") from error
    return Loaded(gpu.timed(lambda: session.run_with_iobinding(binding)), binding.copy_outputs_to_cpu())
