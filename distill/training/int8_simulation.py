"""Simulated int8 of quantization-aware training: rounds weights and activations as TFLite's quantizer does.

Weights of layers are rounded symmetrically, one scale per output channel (dense layers: one scale), activations
asymmetrically with one range per tensor (Jacob et al., arXiv 1712.05877). Gradients pass the rounding unchanged inside
of the range and are 0 outside. The batch norms keep their statistics, so that they are a scale per output channel,
which changes nothing about the rounding of weights: no folding is needed.

Rounded are, when an operator reads them, the results of layers (after batch norm and ReLU, which TFLite fuses), sums,
products, concatenations and pointwise functions. Not simulated: the decoder, which stays in floats, integer biases, and
rounding inside of an operator, such as the table of a sigmoid.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# Share of the former range that a step keeps.
_DECAY = 0.99
_STEPS = 255

# Layers with weights, and the axis of the output channels; None is one scale for all weights.
_LAYERS: Mapping[Callable[..., Any], int | None] = {
    torch.conv1d: 0,
    torch.conv2d: 0,
    torch.conv_transpose2d: 1,
    functional.linear: None,
}
# Computed within the operator before them.
_FUSED = {
    functional.batch_norm, torch.batch_norm, functional.relu, functional.relu6, functional.hardtanh, torch.relu,
    torch.relu_, Tensor.relu, Tensor.relu_,
}  # fmt: skip
# Operators that join their inputs in the range of their output.
_JOINED = {torch.cat, torch.concat}
# Operators whose result has a range of its own.
_POINTWISE = {
    torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__,
    torch.sub, Tensor.sub, Tensor.__sub__, Tensor.__rsub__,
    torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__,
    functional.silu, functional.hardswish, functional.hardsigmoid, functional.gelu, functional.leaky_relu,
    functional.prelu, torch.prelu, functional.sigmoid, torch.sigmoid, Tensor.sigmoid, torch.tanh, Tensor.tanh,
    functional.group_norm, functional.avg_pool2d, functional.adaptive_avg_pool2d,
}  # fmt: skip
_METADATA = {Tensor.size, Tensor.dim, Tensor.numel, Tensor.stride, Tensor.is_contiguous, Tensor.is_floating_point}


@dataclass(eq=False)
class _Value:
    """What is known of a tensor.

    Attributes:
        pending: it is rounded when it is read.
        layer: it is the result of a layer.
        free: numbers of the rounded tensors from which no layer leads here.
        rounded: the rounded tensor, once it was read.
    """

    pending: bool = False
    layer: bool = False
    free: frozenset[int] = frozenset()
    rounded: Tensor | None = None


class Int8Simulation(nn.Module):
    """Rounds what a network computes; its buffers are the ranges of the activations, which every training step updates.

    Args:
        net: network.
        inputs: (1, 3, h, w), to count the tensors that are rounded.
        decoded: takes from the output of the network what is decoded in floats; None rounds everything.
    """

    low: Tensor
    high: Tensor
    steps: Tensor

    def __init__(self, net: nn.Module, inputs: Tensor, decoded: Callable[[Any], Tensor] | None = None) -> None:
        super().__init__()
        self.exact: frozenset[int] = frozenset()
        was_training = net.training
        mode = _Rounding(None, frozenset())
        with torch.no_grad(), mode:
            outputs = net.eval()(inputs)
            if decoded is not None:
                result = decoded(outputs)
                mode.values = _known(result).free, result.numel()
        net.train(was_training)
        if decoded is not None:
            free, numel = mode.values
            self.exact = free | {index for index, size in mode.layers.items() if size == numel}
        self.register_buffer("low", torch.zeros(mode.count))
        self.register_buffer("high", torch.zeros(mode.count))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def rounding(self) -> "_Rounding":
        """Return a context in which the network computes with rounded weights and activations."""
        return _Rounding(self, self.exact)

    def round(self, x: Tensor, index: int) -> Tensor:
        """Return an activation in 8 bits; in training its range is updated first."""
        if self.training:
            self._update(x.detach(), index)
        low, high = self.low[index].clamp(max=0), self.high[index].clamp(min=0)
        scale = ((high - low) / _STEPS).clamp(min=1e-8)
        zero = (-128 - low / scale).round().clamp(-128, 127).to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, -128, 127)

    @torch.no_grad()
    def _update(self, x: Tensor, index: int) -> None:
        share = torch.where(self.steps == 0, 1.0, 1 - _DECAY)
        for ends, value in zip((self.low, self.high), torch.aminmax(x), strict=True):
            moved = torch.lerp(ends[index], value.to(ends), share)
            ends[index] = torch.where(moved.isfinite(), moved, ends[index])


class _Rounding(TorchFunctionMode):
    """Sees every call of torch in a forward pass; without a simulation it only counts.

    Attributes:
        count: tensors rounded so far.
        layers: number of values of those that layers returned, by number of the tensor.
    """

    def __init__(self, simulation: Int8Simulation | None, exact: frozenset[int]) -> None:
        super().__init__()
        self._simulation, self._exact = simulation, exact
        self.count = 0
        self.layers: dict[int, int] = {}
        self.values: tuple[frozenset[int], int] = frozenset(), 0

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if self._simulation is not None and self._simulation.training and error[0] is None:
            self._simulation.steps += 1

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _METADATA or getattr(func, "__name__", "") == "__get__":
            return func(*args, **kwargs)
        if func in _LAYERS:
            return _mark(self._layer(func, *args, **kwargs), _Value(True, True))
        free = frozenset[int]().union(*(_known(each).free for each in _tensors((args, kwargs))))
        if func in _FUSED:
            before = _known(args[0])
            return _mark(func(*args, **kwargs), _Value(True, before.layer and before.pending, free))
        if func in _JOINED:
            return _mark(func(*args, **kwargs), _Value(True, False, free))
        args, kwargs = self._read(args), self._read(kwargs)
        free = free.union(*(_known(each).free for each in _tensors((args, kwargs))))
        result = func(*args, **kwargs)
        if func in _POINTWISE and _is_map(result):
            return _mark(result, _Value(True, False, free))
        for each in _tensors(result):
            _mark(each, _Value(free=free))
        return result

    def _layer(self, func: Callable[..., Tensor], input: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        weight = weight if self._simulation is None else rounded_weights(weight, _LAYERS[func])
        return func(self._read(input), weight, *args, **kwargs)

    def _read(self, given: Any) -> Any:
        """Return what an operator reads: every tensor rounded that is not yet."""
        if isinstance(given, Tensor):
            value = _known(given)
            if not value.pending:
                return given
            if value.rounded is None:
                value.rounded = self._round(given, value)
            return value.rounded
        if isinstance(given, dict):
            return {name: self._read(each) for name, each in given.items()}
        return type(given)(map(self._read, given)) if type(given) in (list, tuple) else given

    def _round(self, x: Tensor, value: _Value) -> Tensor:
        index, self.count = self.count, self.count + 1
        if value.layer:
            self.layers[index] = x.numel()
        free = frozenset[int]() if value.layer else value.free | {index}
        if self._simulation is None or index in self._exact:
            return _mark(x.view_as(x), _Value(free=free))  # a view: x itself stays marked as pending
        return _mark(self._simulation.round(x, index), _Value(free=free))


def rounded_weights(weight: Tensor, axis: int | None) -> Tensor:
    """Return weights in 8 bits, symmetric, with one scale for each index along an axis or one for all."""
    others = [other for other in range(weight.dim()) if other != axis]
    scale = (weight.detach().abs().amax(others) / 127).clamp(min=1e-12)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    if axis is None:
        return torch.fake_quantize_per_tensor_affine(weight, scale, zero, -127, 127)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, axis, -127, 127)


def _known(x: Any) -> _Value:
    found: _Value = getattr(x, "_int8", None) or _Value()
    return found


def _mark(x: Tensor, value: _Value) -> Tensor:
    x._int8 = value  # type: ignore[attr-defined]
    return x


def _is_map(x: Any) -> bool:
    """More than one number per channel; others stay in floats, as do the statistics of norms."""
    return isinstance(x, Tensor) and x.is_floating_point() and x.dim() >= 2 and (x.dim() != 4 or x.shape[2:] != (1, 1))


def _tensors(given: Any) -> Iterator[Tensor]:
    """Yield the tensors of arguments, or of a result, in order."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, Mapping):
        for each in given.values():
            yield from _tensors(each)
    elif isinstance(given, (list, tuple)):
        for each in given:
            yield from _tensors(each)


def freeze_statistics(modules: Iterable[nn.Module]) -> None:
    """Let batch norms use their running statistics in training; their scales and shifts are trained."""
    for module in modules:
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
