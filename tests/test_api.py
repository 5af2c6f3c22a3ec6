"""The public API: light to import, its names resolve, and the examples of its reference run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import distill
from distill.errors import CheckpointError, ConfigError
from distill.options.parser import RENAMED, options_of, parse
from distill.training.train import find_recipe, flatten

ROOT = Path(__file__).resolve().parents[1]


def test_import_loads_nothing_else() -> None:
    code = "import sys, distill; print([m for m in sys.modules if m.startswith('distill.') or m in ('numpy', 'torch')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "['distill.telemetry']"


@pytest.mark.parametrize("name", sorted(set(distill.__all__) - {"__version__"}))
def test_every_name_resolves_and_can_be_called(name: str) -> None:
    assert callable(getattr(distill, name))
    assert name in dir(distill)


# What an installation with the extra `runtime` does not have.
ABSENT = ("torch", "torchvision", "onnx", "tensorflow", "pytorch_lightning", "timm", "jaxtyping", "matplotlib", "wandb")


def without_extras(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code as in an installation with the extra `runtime` alone."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({ABSENT}))\n"
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", blocked + code]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=clean)


def test_a_file_is_checked_without_the_packages_of_the_training(tmp_path: Path) -> None:
    """The README's ten lines are shown below an installation that has no onnx."""
    file = ROOT / "checkpoints" / "student_68_128_fp16.tflite"
    code = f"import distill; print(distill.check({str(file)!r}, runtime='2.11.0').ops.passed)"
    done = without_extras(code, tmp_path)
    assert done.stdout.strip() == "True", done.stderr[-2000:]
    command = f"from distill.cli.main import main; sys.exit(main(['check', {str(file)!r}, '--json', 'check.json']))"
    done = without_extras(command, tmp_path)
    assert (done.returncode, (tmp_path / "check.json").is_file()) == (0, True), done.stderr[-2000:]


def test_a_function_whose_packages_are_absent_names_the_extra(tmp_path: Path) -> None:
    code = "import distill\ntry: distill.list_models()\nexcept distill.errors.ConfigError as error: print(error)"
    expected = "distill.list_models: torch is not installed; run `pip install 'distill-landmarks[train]'`"
    assert without_extras(code, tmp_path).stdout.strip() == expected


def test_a_wrong_data_folder_is_reported_without_the_packages_of_the_training(tmp_path: Path) -> None:
    code = "from distill.cli.main import main; sys.exit(main(['data', 'check', 'nowhere']))"
    done = without_extras(code, tmp_path)
    assert (done.returncode, "no such folder" in done.stderr) == (2, True), done.stderr[-2000:]


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        distill.trian  # noqa: B018


def test_subpackages_are_functions_too() -> None:
    with pytest.raises(CheckpointError, match="no such model file"):
        distill.evaluate("nowhere.tflite")


def test_a_single_name_in_place_of_a_list_is_refused() -> None:
    """Each letter of it was taken for a name."""
    with pytest.raises(ConfigError, match=r"^modes='fp16': give a list, modes=\['fp16'\]$"):
        distill.export("a.ckpt", modes="fp16")
    for models in ("a.tflite", Path("a.tflite")):
        with pytest.raises(ConfigError, match=r"^models='a\.tflite': give a list, models=\['a\.tflite'\]$"):
            distill.bench(models)
    with pytest.raises(ConfigError, match=r"^peers='facemesh': give a list"):
        distill.bench(["a.tflite"], "facemesh")


def test_no_model_at_all_is_refused() -> None:
    for function in (distill.evaluate, distill.export, distill.check, distill.load_model, distill.Landmarker):
        with pytest.raises(CheckpointError, match="NoneType is no model"):
            function(None)
    with pytest.raises(CheckpointError, match="NoneType is no model"):
        distill.bench([None])


def test_a_runtime_as_a_number_is_refused() -> None:
    for function in (distill.check, distill.export):
        with pytest.raises(ConfigError, match=r"give a string like '2\.14\.0'"):
            function(str(ROOT / "checkpoints/student_68_128_fp16.tflite"), runtime=2.14)


def test_nested_overrides_and_unknown_recipes() -> None:
    assert flatten({"trainer": {"epochs": 3}, "model": {"options": {"a": 1}}}) == {
        "trainer.epochs": 3,
        "model.options": {"a": 1},
    }
    with pytest.raises(ConfigError, match="no recipe 'nothing'"):
        find_recipe("nothing")


def test_renamed_options_name_the_new_one() -> None:
    from distill.cli.export import export

    parser = options_of("export", "", export, "model")
    options = {action.dest for action in parser._actions}
    renamed = {old: new for old, new in RENAMED.items() if new in options}
    assert set(renamed.values()) >= {"parity_report", "cross_check", "modes"}
    for old, new in renamed.items():
        with pytest.raises(ConfigError, match=f"option '{old}' is now '{new}': write --{new}"):
            parse(parser, ["a.ckpt", f"--{old}"], "model")


def test_examples_of_the_reference_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.data.synthetic import render_face
    from distill.inference.overlay import write_image

    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photo.png", render_face(0, 0, 480, 0.0).image)
    text = (ROOT / "docs" / "reference" / "api.md").read_text()
    blocks = [block.partition("```")[0] for block in text.split("```python\n")[1:]]
    assert len(blocks) >= 4
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "api.md", "exec"), scope)
