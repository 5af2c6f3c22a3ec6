"""Weight files that run code, fill the memory or are damaged are refused before anything in them is loaded."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from distill.errors import CheckpointError
from distill.geometry import CropSpec
from distill.models import create_model, list_models
from distill.models.checkpoint import load_model, read_weights, save_model
from distill.models.weight_files import build_for_weights, save_weights
from distill.models.zoo import zoo_entry
from distill.spec import ModelSpec
from scripts.fuzz.forked import run_forked
from tests.support.hostile_weights import MAKERS
from tests.support.memory_limit import run_with_memory

SPEC = ModelSpec("mobilevit_v2_050", "five", 5, CropSpec(64, 1.2, -0.1), {"width": 16, "neck": "pyramid"})
# What a refusal may allocate: the file of 4 MB and its structure, not what the file promises.
_ALLOWED_MB = 150


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(1)
    return create_model(SPEC.arch, SPEC.scheme, **SPEC.options).eval()


def _write(path: Path, net: nn.Module) -> Path:
    if path.suffix == ".safetensors":
        save_model(path, net, SPEC)
    else:
        state = {f"net.{name}": value for name, value in net.state_dict().items()}
        torch.save({"spec": SPEC.to_dict(), "state_dict": state}, path)
    return path


@pytest.mark.parametrize("kind", MAKERS)
def test_a_hostile_file_is_one_line_and_takes_no_memory(kind: str, net: nn.Module, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path, SPEC.to_dict(), {n: v.contiguous() for n, v in net.state_dict().items()})
    outcome = run_forked(lambda: load_model(path), 20)
    assert outcome.kind == "refused", outcome
    assert str(path) in outcome.text
    assert outcome.peak_mb < outcome.start_mb + _ALLOWED_MB
    assert not list(tmp_path.rglob("executed"))


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_one_changed_bit_of_a_weight_is_noticed(suffix: str, net: nn.Module, tmp_path: Path) -> None:
    path = _write(tmp_path / f"model{suffix}", net)
    needle = max(net.state_dict().values(), key=torch.numel).numpy().tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(needle) + len(needle) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checksum of .* differs|differs from its SHA-256"):
        load_model(path)


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_a_list_of_hashes_in_the_folder_is_compared(suffix: str, net: nn.Module, tmp_path: Path) -> None:
    path = _write(tmp_path / f"model{suffix}", net)
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {path.name}\n")
    with pytest.raises(CheckpointError, match="SHA-256 differs from the one in SHA256SUMS"):
        load_model(path)


def test_a_file_without_a_digest_is_read(net: nn.Module, tmp_path: Path) -> None:

    save_file(dict(net.state_dict()), tmp_path / "old.safetensors", metadata={"spec": json.dumps(SPEC.to_dict())})
    assert read_weights(tmp_path / "old.safetensors")[0]["arch"] == SPEC.arch


def test_equal_weights_are_equal_bytes(tmp_path: Path) -> None:
    """The library writes metadata in a random order, so that two releases of one network differed."""
    state, spec = {"grösse": torch.arange(6.0).reshape(2, 3).T}, {"arch": "größe", "options": {}}
    for index in range(8):
        save_weights(tmp_path / f"{index}.safetensors", state, spec)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    stored, tensors = read_weights(tmp_path / "0.safetensors")
    assert stored == spec
    assert torch.equal(tensors["grösse"], state["grösse"])


# The first of each kind: other sizes have the same layers.
@pytest.mark.parametrize("name", {zoo_entry(name).factory: name for name in reversed(list_models())}.values())
def test_every_network_is_laid_out_without_memory(name: str) -> None:
    """Otherwise a file could make it allocate before its shapes are compared."""
    with torch.device("meta"):
        state = create_model(name, "five").state_dict()
    with pytest.raises(ValueError, match="in the file"):
        build_for_weights(lambda: create_model(name, "five"), dict(list(state.items())[1:]))


def test_a_network_that_cannot_be_laid_out_is_bounded_too() -> None:
    """A plugin's network may read a number of a tensor, which torch's meta device does not have."""

    def make(width: int) -> nn.Module:
        return nn.Linear(int(torch.tensor(width).item()), 1)

    state = make(4).state_dict()
    assert build_for_weights(lambda: make(4), state).state_dict().keys() == state.keys()
    with pytest.raises(CheckpointError, match="numbers"):
        build_for_weights(lambda: make(10**9), state)


def test_a_network_of_very_many_parts_is_not_built() -> None:
    with pytest.raises(CheckpointError, match="more than 1000 parameters"):
        build_for_weights(lambda: nn.Sequential(*(nn.Linear(1, 1) for _ in range(10**6))), {})


def test_weights_too_large_for_the_memory_are_not_called_damaged(tmp_path: Path) -> None:
    state = {"a": torch.zeros(50_000_000)}
    paths = [tmp_path / "large.ckpt", tmp_path / "large.safetensors"]
    torch.save({"spec": SPEC.to_dict(), "state_dict": state}, paths[0])
    save_weights(paths[1], state, SPEC.to_dict())
    lines = run_with_memory("distill.models.checkpoint:read_weights", paths, 100)
    assert lines == [f"refused: {path}: not enough memory for its 200 MB; close other programs" for path in paths]
