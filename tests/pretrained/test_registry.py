"""Released models by name: cards, hashes, and what is refused."""

import json
from pathlib import Path

import pytest

from distill.cli.main import main
from distill.errors import CheckpointError, ConfigError
from distill.files import sha256
from distill.inference.landmarker import Landmarker
from distill.inference.load import open_backend
from distill.models.checkpoint import load_model
from distill.pretrained import registry
from distill.pretrained.registry import DEFAULT_MODEL, model_cards, read_card, released_models, resolve_model
from distill.pretrained.resources import CHECKPOINTS

ROOT = Path(__file__).parents[2]


def test_every_released_file_has_a_card_and_every_card_its_files() -> None:
    listed = {file for card in model_cards().values() for file in card["distill"]["files"]}
    assert listed == {path.name for path in CHECKPOINTS.iterdir() if path.suffix in (".tflite", ".safetensors")}
    assert next(iter(released_models())) == DEFAULT_MODEL


@pytest.mark.parametrize("name", released_models())
def test_cards_agree_with_the_weights(name: str) -> None:
    model = released_models()[name]
    net, spec = load_model(name)
    assert (model.network, model.scheme, model.points, model.size) == (
        spec.arch, spec.scheme, spec.n_points, spec.crop.size,
    )  # fmt: skip
    assert model.parameters == sum(parameter.numel() for parameter in net.parameters())


def test_accuracies_of_the_cards_are_measured() -> None:
    scored = json.loads((ROOT / "results/studies/released.json").read_text())["models"]
    for name, model in released_models().items():
        own = ROOT / f"results/studies/{name}.json"
        if own.is_file():
            measured = json.loads(own.read_text())["gt"]["metrics"]["ocular"]["nme_percent"]
        else:
            measured = scored[name]["scores"]["300-W common, gt boxes"]["nme_percent"]
        assert model.nme_percent == round(measured, 2), name
        inner = scored[name]["scores"]["300-W common, gt boxes"]
        assert (inner["protocol"]["points"], round(inner["nme_percent"], 2)) == (51, model.inner_nme_percent), name


def test_names_stand_for_files_and_paths_for_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_model(DEFAULT_MODEL) == CHECKPOINTS / f"{DEFAULT_MODEL}_fp16.tflite"
    assert resolve_model(DEFAULT_MODEL, weights=True) == CHECKPOINTS / f"{DEFAULT_MODEL}.safetensors"
    assert resolve_model("efld_51_128_int8") == CHECKPOINTS / "efld_51_128_int8.tflite"
    assert resolve_model("folder/net.onnx") == Path("folder/net.onnx")
    assert Landmarker.from_pretrained("efld_51_128").spec.arch == "efld"
    with pytest.raises(CheckpointError, match="did you mean 'student_128_refined'"):
        open_backend("student_128_refind")


def test_what_is_neither_name_nor_path_is_refused() -> None:
    for load in (Landmarker, open_backend, load_model):
        with pytest.raises(CheckpointError, match="NoneType is no model; give a path or the name"):
            load(None)  # type: ignore[arg-type]


def test_changed_and_missing_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHECKPOINTS", tmp_path)
    file = f"{DEFAULT_MODEL}_fp16.tflite"
    with pytest.raises(CheckpointError, match="not part of the installed package"):
        resolve_model(DEFAULT_MODEL)
    content = bytearray((CHECKPOINTS / file).read_bytes())
    content[-1] ^= 1
    (tmp_path / file).write_bytes(content)
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        resolve_model(DEFAULT_MODEL)
    assert sha256(tmp_path / file) != sha256(CHECKPOINTS / file)


def test_the_list_says_which_models_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models"]) == 0
    assert "Not in this installation" not in capsys.readouterr().out
    released_models()
    monkeypatch.setattr(registry, "CHECKPOINTS", tmp_path)
    (tmp_path / f"{DEFAULT_MODEL}_fp16.tflite").touch()
    assert main(["models"]) == 0
    absent = capsys.readouterr().out.splitlines()[-1]
    assert absent.startswith("Not in this installation")
    assert ("efld_51_128" in absent, DEFAULT_MODEL in absent) == (True, False)


def test_a_card_without_a_header_is_told(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("# net\n")
    with pytest.raises(ConfigError, match="YAML header"):
        read_card(card)
