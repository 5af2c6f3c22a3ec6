"""Weights for a thin MobileNetV2 from a wide one: keep the channels whose batch norms scale the most.

A network of width 0.35 has no ImageNet weights of its own here. Pruning by the scales of batch norm (network slimming)
keeps the filters that the wide network uses most, which is a better start than random ones.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

# timm's names: the convolution of a block, and the batch norm behind it.
_BLOCK = re.compile(r"blocks\.(\d+)\.(\d+)\.")


def thin_weights(wide: Mapping[str, Tensor], thin: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of a thin MobileNetV2 (timm's names) cut out of a wide one.

    Args:
        wide: tensors of the wide network.
        thin: tensors of the thin network, for the shapes; both have the same blocks.
    """
    state = {name: value.clone() for name, value in thin.items()}
    kept = _strongest(wide["bn1.weight"].abs(), len(thin["bn1.weight"]))
    _take(state, wide, "conv_stem", "bn1", kept, None)
    blocks = sorted({(int(m[1]), int(m[2])) for name in thin if (m := _BLOCK.match(name))})
    stage_output: dict[int, Tensor] = {}
    for stage, block in blocks:
        prefix = f"blocks.{stage}.{block}."
        last = "bn3" if f"{prefix}bn3.weight" in thin else "bn2"
        if stage not in stage_output:
            # The blocks of a stage add up their outputs, so all of them keep the same channels.
            members = [f"blocks.{s}.{b}.{last}.weight" for s, b in blocks if s == stage]
            strength = torch.stack([wide[name].abs() for name in members]).sum(dim=0)
            stage_output[stage] = _strongest(strength, len(thin[members[0]]))
        inner = kept
        if last == "bn3":
            strength = wide[f"{prefix}bn1.weight"].abs() + wide[f"{prefix}bn2.weight"].abs()
            inner = _strongest(strength, len(thin[f"{prefix}bn1.weight"]))
            _take(state, wide, f"{prefix}conv_pw", f"{prefix}bn1", inner, kept)
        depthwise = "bn2" if last == "bn3" else "bn1"
        _take(state, wide, f"{prefix}conv_dw", f"{prefix}{depthwise}", inner, None)
        _take(state, wide, f"{prefix}{'conv_pwl' if last == 'bn3' else 'conv_pw'}", f"{prefix}{last}",
              stage_output[stage], inner)  # fmt: skip
        kept = stage_output[stage]
    return state


def _strongest(strength: Tensor, count: int) -> Tensor:
    """Return the indices of the largest entries, ascending."""
    return strength.topk(count).indices.sort().values


def _take(
    state: dict[str, Tensor], wide: Mapping[str, Tensor], conv: str, norm: str, outputs: Tensor, inputs: Tensor | None
) -> None:
    """Copy some output and input channels of a convolution, and its batch norm's; `inputs` None takes all."""
    weight = wide[f"{conv}.weight"][outputs]
    state[f"{conv}.weight"] = weight if inputs is None else weight[:, inputs]
    for part in ("weight", "bias", "running_mean", "running_var"):
        state[f"{norm}.{part}"] = wide[f"{norm}.{part}"][outputs]
